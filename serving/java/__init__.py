"""Java, which TorchServe's front runs on: where it is, its memory, the paths that it takes."""
