"""Requests and what happens to their rows as spans of OpenTelemetry, sent to a collector."""
