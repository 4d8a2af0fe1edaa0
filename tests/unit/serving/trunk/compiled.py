"""Print how far compiled features are from the reference, per form and number of rows, as JSON.

A graph that would have to be compiled again, after the warm-up, is an error.
"""

import json

import serving.trunk.graphs
from serving.trunk.backend import Example
from serving.trunk.cpu import CpuBackend
from tests.fakes.rows import expected_of, features_of, some_rows
from tests.fakes.tiny import tiny_backbone, tiny_trunk

FORMS = [
    {"method": "spt-deep", "pooling": "cls", "lengths": (4, 0, 7)},
    {"method": "spt-deep", "pooling": "mean-with-prompts", "lengths": (4,)},
]

DEPTH = {"depth": 2}
"""A block whose rows are all computed, and the last one: each more is compiled once more."""


def main() -> None:
    backend = CpuBackend(tiny_backbone(tiny_trunk(**DEPTH)), compiled=True, max_batch=4)
    first = [some_rows(backend.backbone, 1, **form)[1][0] for form in FORMS]
    backend.warm_up([Example(resident.form, 4) for resident in first])
    serving.trunk.graphs.STANCE = "fail_on_recompile"
    errors = {}
    for form in FORMS:
        for rows in (1, 2, 3, 4, 7):
            adapters, residents, pixels = some_rows(backend.backbone, rows, **form)
            expected = expected_of(adapters, pixels, tiny_trunk(**DEPTH))
            far = (features_of(backend, residents, pixels) - expected).abs().max()
            errors[f"{form['method']} {form['pooling']} {rows}"] = float(far / expected.abs().max())
    print(json.dumps(errors))


if __name__ == "__main__":
    main()
