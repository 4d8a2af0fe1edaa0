"""Many tasks, trained by several workers: handed out, told of, tried again, published."""
