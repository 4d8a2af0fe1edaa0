"""Random weights as Google's .npz files hold them: a tiny ViT of `tests.fakes.tiny`'s sizes."""

from pathlib import Path

import numpy as np

WIDTH, HEADS, DEPTH, PATCH, HIDDEN = 16, 2, 3, 8, 64
Arrays = dict[str, np.ndarray]


def google_arrays(side: int = 2) -> Arrays:
    """Return the trunk's arrays for a grid of `side` x `side` patches, and a 21k classifier."""
    per_head = WIDTH // HEADS
    shapes: dict[str, tuple[int, ...]] = {
        "cls": (1, 1, WIDTH),
        "embedding/kernel": (PATCH, PATCH, 3, WIDTH),
        "embedding/bias": (WIDTH,),
        "Transformer/posembed_input/pos_embedding": (1, side * side + 1, WIDTH),
        "Transformer/encoder_norm/scale": (WIDTH,),
        "Transformer/encoder_norm/bias": (WIDTH,),
        "head/kernel": (WIDTH, 7),
        "head/bias": (7,),
    }
    block = {
        f"MultiHeadDotProductAttention_1/{part}/{kind}": shape
        for part in ("query", "key", "value")
        for kind, shape in (("kernel", (WIDTH, HEADS, per_head)), ("bias", (HEADS, per_head)))
    } | {
        "MultiHeadDotProductAttention_1/out/kernel": (HEADS, per_head, WIDTH),
        "MultiHeadDotProductAttention_1/out/bias": (WIDTH,),
        "LayerNorm_0/scale": (WIDTH,),
        "LayerNorm_0/bias": (WIDTH,),
        "LayerNorm_2/scale": (WIDTH,),
        "LayerNorm_2/bias": (WIDTH,),
        "MlpBlock_3/Dense_0/kernel": (WIDTH, HIDDEN),
        "MlpBlock_3/Dense_0/bias": (HIDDEN,),
        "MlpBlock_3/Dense_1/kernel": (HIDDEN, WIDTH),
        "MlpBlock_3/Dense_1/bias": (WIDTH,),
    }
    for i in range(DEPTH):
        shapes |= {f"Transformer/encoderblock_{i}/{name}": shape for name, shape in block.items()}
    random = np.random.default_rng(0)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def with_pre_logits(arrays: Arrays) -> Arrays:
    """Return the arrays as the original checkpoint has them."""
    kernel, bias = np.ones((WIDTH, WIDTH), np.float32), np.ones(WIDTH, np.float32)
    return arrays | {"pre_logits/kernel": kernel, "pre_logits/bias": bias}


def save_npz(arrays: Arrays, path: Path) -> Path:
    """Write the arrays to `path`."""
    np.savez(path, **arrays)
    return path
