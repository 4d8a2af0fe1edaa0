"""Answers of whole steps, against the token form in float64."""

import numpy as np
import torch

from adapters.vit.pixels import normalise_batch
from serving.forward import forward
from serving.trunk.backend import Example
from tests.fakes.rows import expected_of, seated, some_rows
from tests.fakes.tiny import tiny_trunk

DEPTH = 3
LENGTHS = (4, 0, 30)
FIRST_BLOCKS = (0, 0, 1)
ASKED = ((0, 3, 1), (2, 3, 5), (0, 2, 50))
"""First row, last row, and top_k: more than a step keeps, too."""


def wide_trunk():
    """Return the tiny trunk with heads that the kernels take, and a part for every read-out.

    Of three blocks: one that may have no prompts, and two that must have some.
    """
    return tiny_trunk(depth=DEPTH, embed_dim=64, num_heads=2, pre_norm=True, global_pool="map")


def scores_of(adapter, feature):
    """Return the softmax probabilities of one feature, in float64."""
    logits = adapter.head_weight.double() @ feature + adapter.head_bias.double()
    return (logits / adapter.meta.temperature).softmax(0)


def compared(backend, poolings=("cls", "mean", "map")):
    """Return the largest difference of a score, and how many answers were wrong.

    All forwards are launched before the first is collected.

    Args:
        backend: of `wide_trunk`, with kernels.
        poolings: of the adapters.
    """
    launched, worst, wrong = [], 0.0, 0
    for pooling in poolings:
        adapters, residents, _ = some_rows(
            backend.backbone, 3, pooling=pooling, lengths=LENGTHS, first_blocks=FIRST_BLOCKS
        )
        crops = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
        rules = [resident.meta.preprocessing for resident in residents]
        pixels = normalise_batch(torch.from_numpy(crops), rules)
        features = expected_of(adapters, pixels, wide_trunk())
        exact = [scores_of(*one) for one in zip(adapters, features, strict=True)]
        backend.warm_up([Example(residents[0].form, 4)])
        for first, last, top_k in ASKED:
            rows = [seated(*row) for row in zip(residents, crops, strict=True)][first:last]
            for row in rows:
                row.query = type(row.query)(b"", row.key.task, top_k=top_k)
            assert backend.steps.take(residents[0].form, len(rows))
            launched.append((forward.launch(backend, rows), exact[first:last], top_k))
    for one, exact, top_k in launched:
        again = forward.collect(one)
        assert again is None or forward.collect(again) is None
        for row, scores in zip(one.rows, exact, strict=True):
            answer = row.outcome.predictions
            wrong += len(answer) != min(top_k, len(scores))
            wrong += [a.score for a in answer] != sorted((a.score for a in answer), reverse=True)
            worst = max([worst, *(abs(a.score - float(scores[a.index])) for a in answer)])
    return {"error": worst, "wrong": wrong}
