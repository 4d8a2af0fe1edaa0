"""Methods that build on prompts and are served as they are: one file per paper."""
