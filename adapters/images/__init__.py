"""Encoded images to upright 8-bit RGB and to crops, and what one may cost; without torch."""
