"""Services that are told of a run: one small protocol, and one file for each service."""
