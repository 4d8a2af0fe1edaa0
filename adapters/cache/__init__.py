"""Pointers and artifacts between this process, Redis and the store."""
