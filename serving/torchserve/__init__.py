"""TorchServe as a launch's front: configured, begun, asked and drained."""
