"""Makes adapters: data, recipes, methods, training, evaluation."""
