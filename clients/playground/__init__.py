"""A page on loopback for people who want to drop a photo and look; its answers are the service's."""
