"""The clients at the command line."""
