"""The same store in a bucket: objects that are put only if nobody has changed them meanwhile."""
