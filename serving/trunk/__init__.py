"""What runs the frozen ViT on a device."""
