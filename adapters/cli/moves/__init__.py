"""The commands that change which versions of a task answer."""
