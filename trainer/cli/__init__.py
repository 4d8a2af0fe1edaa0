"""The trainer at the command line."""
