"""Serves every task's adapter from one frozen ViT, mixed in the same batch."""
