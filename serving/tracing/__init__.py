"""What goes with a request wherever it goes: its id, its caller's trace, its lines in logs."""
