"""Encoded images to 8-bit pixels, within bounds of time and memory; knows no rows and no tasks."""
