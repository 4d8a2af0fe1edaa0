"""TorchServe's processes: configured, started, watched, drained and ended."""
