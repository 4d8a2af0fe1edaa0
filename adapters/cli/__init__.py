"""The store at the command line."""
