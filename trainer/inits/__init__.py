"""How the first prompts are made (paper 3.3, 3.4, Table S2): one collector per layer, one pass."""
