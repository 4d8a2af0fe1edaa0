"""The service's metrics for Prometheus: their names, what moves them, and how they are read."""
