"""The frozen blocks: one attention for all, and one file for each kind of block."""
