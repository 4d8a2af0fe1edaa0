"""Whether the worker lives and can answer: what it knows of itself, and who may ask."""
