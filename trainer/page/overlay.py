"""Attention laid over the image it belongs to."""
