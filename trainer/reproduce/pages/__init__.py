"""How measured tables and figures are laid out."""
