"""A fork server: a process that has imported what others need, and forks them off itself."""
