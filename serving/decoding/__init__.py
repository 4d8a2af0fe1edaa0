"""Encoded images to pixels, within bounds of time and memory; knows no rows and no tasks."""
