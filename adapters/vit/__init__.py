"""Everything with tensors: the frozen ViT, and how prompts act on it."""
