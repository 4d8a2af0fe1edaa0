"""The durable truth: immutable versions and one record per task, in a directory."""
