"""One run, step by step: from a recipe to an artifact."""
