"""Which backend is fastest on this machine: measured, kept in a file, and found there again."""
