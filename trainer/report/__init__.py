"""The report of a finished run: one HTML page that needs nothing else."""
