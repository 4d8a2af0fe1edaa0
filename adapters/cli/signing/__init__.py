"""Keys and signatures at the command line, and whom a command trusts."""
