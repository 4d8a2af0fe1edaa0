"""Adapters to and from what others use: a torch program, a folder of a hub, a linear head."""
