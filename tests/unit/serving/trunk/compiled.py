"""Print how far compiled features are from the reference, per form and number of rows, as JSON.

A graph that would have to be compiled again, after the warm-up, is an error: of tensors that were
made in inference mode, as the engine's are, and of others.
"""

import json
from functools import partial

import torch
import torch._inductor.config as inductor

import serving.trunk.cpu
import serving.trunk.graphs
from serving.forward.prompts import gather_prompts
from serving.trunk.backend import Example
from serving.trunk.cpu import CpuBackend
from serving.trunk.graphs import Graphs
from tests.fakes.rows import expected_of, features_of, some_rows
from tests.fakes.tiny import tiny_backbone, tiny_trunk

DEEP = {"method": "spt-deep", "pooling": "cls", "lengths": (4, 0, 7), "first_blocks": (1, 0)}
AVERAGED = {"method": "spt-deep", "pooling": "mean-with-prompts", "lengths": (4,)}
FORMS = [(DEEP, 4, (1, 2, 3, 4, 7)), (AVERAGED, 1, (1,))]
"""What rows have in common, the most in a batch, and how many there are: how a batch is shared out
does not depend on the form."""

DEPTH = {"depth": 3}
"""A block that may have no prompts, one whose rows are all computed, and the last one: each more is
compiled once more."""


def main() -> None:
    print(json.dumps({**of_every_share(), **of_machine_code()}))


def of_every_share() -> dict[str, float]:
    """Return the errors of each form's graphs, traced and run as they are.

    What is traced for whom, and when again, is the same whatever a graph becomes.
    """
    serving.trunk.cpu.Graphs = partial(Graphs, backend="aot_eager")
    return _errors("traced", FORMS)


def of_machine_code() -> dict[str, float]:
    """Return the errors of graphs that a C++ compiler took many seconds to translate."""
    serving.trunk.cpu.Graphs = Graphs
    inductor.cpp.vec_isa_ok = True  # as the processor says: each set of instructions is not tried
    torch.set_num_threads(1)  # whole batches alone: two graphs, one of which takes any rows
    return _errors("translated", [(DEEP, 4, (1, 2, 3, 4))])


def _errors(what, forms) -> dict[str, float]:
    errors = {}
    for form, most, sizes in forms:
        backend = CpuBackend(tiny_backbone(tiny_trunk(**DEPTH)), compiled=True, max_batch=most)
        (first,) = some_rows(backend.backbone, 1, **form)[1]
        backend.warm_up([Example(first.form, 4)])
        serving.trunk.graphs.STANCE = "fail_on_recompile"
        for rows in sizes:
            errors[f"{what} {form['pooling']} {rows}"] = _error(backend, form, rows)
        serving.trunk.graphs.STANCE = "eager_on_recompile"
    return errors


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
