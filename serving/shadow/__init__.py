"""Copies of answered rows, computed by their task's shadow while the device is idle."""
