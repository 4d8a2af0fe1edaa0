"""The device: rows of all fronts and tasks in, whatever waits is the next batch."""
