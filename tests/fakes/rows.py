"""Rows for a backend, and what the token form makes of them."""

import torch

from adapters.images.crop import Picture
from serving.forward.prompts import gather_prompts
from serving.rows.query import Query
from serving.rows.resident import AdapterKey, make_resident
from serving.rows.row import Row
from tests.fakes.artifacts import make_adapter
from tests.fakes.reference import reference_features
from tests.fakes.tiny import read_out, tiny_backbone

LENGTHS = (4, 0, 7, 1, 4)
TEMPERATURES = (None, 2.5)
KEY = AdapterKey("t", "0" * 64)


def some_rows(
    backbone, rows: int, *, pooling="cls", method="spt-deep", lengths=LENGTHS, first_blocks=(0,)
):
    """Return adapters, residents and pixels of some rows; what differs among rows repeats."""
    spec = backbone.spec.model_copy(update=read_out(pooling))
    adapters = [
        make_adapter(
            method=method if lengths[i % len(lengths)] else "linear",
            prompts=lengths[i % len(lengths)],
            first_block=first_blocks[i % len(first_blocks)] if lengths[i % len(lengths)] else 0,
            temperature=TEMPERATURES[i % len(TEMPERATURES)],
            seed=i,
            backbone=spec,
        )
        for i in range(rows)
    ]
    residents = [make_resident(adapter, backbone) for adapter in adapters]
    size = backbone.spec.image_size
    return adapters, residents, torch.randn(rows, 3, size, size)


def seated(resident, crop):
    """Return a row that is ready for its forward, of a crop of 8 bits."""
    row = Row(Query(b"", KEY.task, top_k=1))
    row.key, row.resident, row.picture = KEY, resident, Picture(crop, is_whole=False)
    row.image = id(row)
    return row


def features_of(backend, residents, pixels):
    form = residents[0].form
    with torch.inference_mode():
        prompts = gather_prompts(backend.backbone, form, residents, backend.key_alignment)
        return backend.features(form, pixels.clone(), prompts)


def expected_of(adapters, pixels, trunk=None):
    exact = tiny_backbone(trunk, dtype=torch.float64).trunk
    return reference_features(exact, adapters, pixels)
