"""What the authors of each method trained with, as far as their code is public."""
