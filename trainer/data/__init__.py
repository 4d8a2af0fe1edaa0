"""Where a task's images and labels come from."""
