"""What the ASGI front promises over HTTP, as an OpenAPI document: a module per kind of route."""
