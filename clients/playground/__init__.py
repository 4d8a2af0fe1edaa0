"""A page on loopback for people who want to drop a photo and look; the service answers."""
