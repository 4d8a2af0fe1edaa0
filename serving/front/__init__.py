"""The ASGI app with the contract of `/spt/predict`, and how uvicorn runs it."""
