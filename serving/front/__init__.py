"""The ASGI front: the app with the contract of `/spt/predict`, and its processes."""
