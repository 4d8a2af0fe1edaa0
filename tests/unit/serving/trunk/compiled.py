"""Print how far compiled features are from the reference, per form and number of rows, as JSON.

A graph that would have to be compiled again, after the warm-up, is an error: of tensors that were
made in inference mode, as the engine's are, and of others.
"""

import json

import torch

import serving.trunk.graphs
from serving.forward.prompts import gather_prompts
from serving.trunk.backend import Example
from serving.trunk.cpu import CpuBackend
from tests.fakes.rows import expected_of, features_of, some_rows
from tests.fakes.tiny import tiny_backbone, tiny_trunk

FORMS = [
    (
        {"method": "spt-deep", "pooling": "cls", "lengths": (4, 0, 7), "first_blocks": (1, 0)},
        4,
        (1, 2, 3, 4, 7),
    ),
    ({"method": "spt-deep", "pooling": "mean-with-prompts", "lengths": (4,)}, 1, (1,)),
]
"""What rows have in common, the most in a batch, and how many there are: a graph more is a dozen
seconds of a compiler, and how a batch is shared out does not depend on the form."""

DEPTH = {"depth": 2}
"""A block that may have no prompts, whose rows are all computed, and the last one: each more is
compiled once more."""


def main() -> None:
    errors: dict[str, float] = {}
    for form, most, sizes in FORMS:
        backend = CpuBackend(tiny_backbone(tiny_trunk(**DEPTH)), compiled=True, max_batch=most)
        (first,) = some_rows(backend.backbone, 1, **form)[1]
        backend.warm_up([Example(first.form, 4)])
        serving.trunk.graphs.STANCE = "fail_on_recompile"
        for rows in sizes:
            errors[f"{form['method']} {form['pooling']} {rows}"] = _error(backend, form, rows)
        serving.trunk.graphs.STANCE = "eager_on_recompile"
    print(json.dumps(errors))


def _error(backend, form, rows) -> float:
    """Return how far features are from the token form's, relative to the largest of those."""
    adapters, residents, pixels = some_rows(backend.backbone, rows, **form)
    expected = expected_of(adapters, pixels, tiny_trunk(**DEPTH))
    prompts = gather_prompts(backend.backbone, residents[0].form, residents, backend.key_alignment)
    made_outside = backend.features(residents[0].form, pixels, prompts)
    found = torch.stack([features_of(backend, residents, pixels), made_outside])
    return float((found - expected).abs().max() / expected.abs().max())


if __name__ == "__main__":
    main()
