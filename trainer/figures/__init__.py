"""Figures of one look, whose bytes depend on the numbers alone."""
