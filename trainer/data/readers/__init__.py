"""One module per layout of images and labels on disk."""
