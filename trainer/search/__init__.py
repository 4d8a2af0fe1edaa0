"""Settings searched for by the validation split, with Optuna, which is known here alone."""
