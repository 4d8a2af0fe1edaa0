"""What the labels of a list or folder say: one class, several, a number, a place in an order."""
