"""Watches a canary next to the current version, and ends or promotes it by a rule."""
