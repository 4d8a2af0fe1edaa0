"""The trunk in FP8, and how far a trunk that rounds can be trusted."""
