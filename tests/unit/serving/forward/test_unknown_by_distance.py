"""A row's feature decides whether its image is unknown, beside rows that go by other rules."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from adapters.artifact.unknown import Spread, UnknownRule
from adapters.vit.adapter import decode, encode
from adapters.vit.pixels import normalise_batch
from serving.forward.forward import collect, launch
from serving.rows.resident import make_resident
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.rows import expected_of, seated
from tests.fakes.tiny import tiny_backbone

BACKBONE = tiny_backbone()


@pytest.mark.parametrize(("offset", "is_unknown"), [(-0.01, False), (0.01, True)])
def test_a_row_is_unknown_by_the_distance_of_its_own_feature(offset: float, is_unknown: bool):
    generator = np.random.default_rng(0)
    adapters = [
        make_adapter(f"task{i}", classes=3 + i, prompts=prompts, seed=i, backbone=BACKBONE.spec)
        for i, prompts in enumerate((4, 9, 2))
    ]
    crops = generator.integers(0, 256, (len(adapters), 16, 16, 3), np.uint8)
    rules = [adapter.meta.preprocessing for adapter in adapters]
    features = expected_of(adapters, normalise_batch(torch.from_numpy(crops), rules))
    width = BACKBONE.spec.width
    for i, feature in enumerate(features[:2]):
        directions = generator.normal(size=(5, width)).astype(np.float32) * 0.1
        spread = Spread(generator.normal(size=width).astype(np.float32), directions)
        threshold = -float(spread.distance(feature.numpy())) + offset
        rule = UnknownRule(score="distance", threshold=threshold, images=9, false_reject_rate=0)
        meta = adapters[i].meta.model_copy(update={"unknown": rule})
        adapters[i] = decode(encode(replace(adapters[i], meta=meta, spread=spread)))
    residents = [make_resident(adapter, BACKBONE) for adapter in adapters]
    rows = [seated(*one) for one in zip(residents, crops, strict=True)]
    assert collect(launch(CpuBackend(BACKBONE), rows)) is None
    assert [row.outcome.unknown for row in rows] == [is_unknown, is_unknown, None]
