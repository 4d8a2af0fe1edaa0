"""What callers may call an image, and its bytes."""
