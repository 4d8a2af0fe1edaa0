"""The model card of a run: what was trained on what, and how good it was seen to be."""
