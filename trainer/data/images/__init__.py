"""An image as bytes with a name, wherever it lies; and many of them looked at together."""
