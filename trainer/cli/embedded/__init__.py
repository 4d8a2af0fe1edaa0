"""The commands that made the embedded backbone and measure it."""
