"""How TorchServe comes by its workers: as forks of a process that has imported what they need."""
