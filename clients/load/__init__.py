"""Load on the service: callers that wait, and a constant rate."""
