"""One process that owns the device, and the front processes that decode for it."""
