"""The trunk on CUDA: attention and heads that read adapters by address, one graph per step."""
