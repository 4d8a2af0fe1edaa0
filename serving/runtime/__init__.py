"""How fronts reach the process that owns the device: messages, shared memory, an engine."""
