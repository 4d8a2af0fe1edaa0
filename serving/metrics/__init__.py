"""The service's metrics for Prometheus: what they are called, what moves them, how they are read."""
