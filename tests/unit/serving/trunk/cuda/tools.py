"""What the tests of the kernels say to one another."""

MISSING = 3
"""The exit code of a process whose tools are missing."""
