"""Encoded images to upright 8-bit RGB, and what decoding one may cost; without torch."""
