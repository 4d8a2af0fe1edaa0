"""Encoded images to crops, within bounds of time and memory; knows no rows and no tasks."""
