"""How others than timm name and lay out the tensors of a ViT: Google, Meta, OpenAI."""
