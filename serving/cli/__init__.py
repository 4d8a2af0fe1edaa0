"""The service at the command line."""
