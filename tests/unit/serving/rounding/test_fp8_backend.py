"""FP8 is measured before it serves; rows in doubt, adapters and other forms are exact."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from serving.errors import ExportError
from serving.forward.forward import collect, launch
from serving.rounding.agreement import Sample
from serving.rounding.backend import Fp8Backend
from serving.rounding.measurement import REPORT, measure_fp8, read_measurement
from serving.rows.resident import make_resident
from serving.trunk.backend import Example
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.rows import features_of, seated, some_rows
from tests.fakes.tiny import read_out, tiny_backbone


@pytest.fixture
def backbone():
    return tiny_backbone(dtype=torch.bfloat16)


@pytest.fixture
def samples(backbone):
    resident = make_resident(make_adapter(classes=2, backbone=backbone.spec), backbone)
    return {"pets": Sample(resident, torch.randn(40, 3, 16, 16))}


def answers(backend, residents, crops):
    """Return each row's answer, and the rows that were computed again."""
    rows = [seated(*row) for row in zip(residents, crops, strict=True)]
    again = collect(launch(backend, rows))
    if again is not None:
        assert collect(again) is None
    found = [(row.outcome.predictions[0].index, row.outcome.predictions[0].score) for row in rows]
    return found, [] if again is None else [rows.index(row) for row in again.rows]


def test_rows_in_doubt_are_computed_again_and_no_others(backbone):
    _, residents, _ = some_rows(backbone, 12)
    crops = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)
    exact, _ = answers(CpuBackend(backbone), residents, crops)
    sure, again = answers(Fp8Backend(backbone, 0.0), residents, crops)
    assert again == []
    assert sure != exact
    found, again = answers(Fp8Backend(backbone, torch.inf), residents, crops)
    assert again == list(range(12))
    assert found == exact
    found, again = answers(Fp8Backend(backbone, 0.1), residents, crops)
    assert 0 < len(again) < 12
    # a row's bits depend on how many share its forward
    for row, (own, rounded) in enumerate(zip(found, sure, strict=True)):
        assert own[0] == (exact if row in again else sure)[row][0]
        assert row in again or own == rounded


def test_forms_that_were_not_measured_are_exact(backbone):
    backend = Fp8Backend(backbone, 0.5)
    for changes in ({"pooling": "mean"}, {"method": "spt-shallow", "lengths": (4,)}):
        _, residents, pixels = some_rows(backbone, 3, **changes)
        backend.warm_up([Example(residents[0].form, 4)])
        found = features_of(backend, residents, pixels)
        assert torch.equal(found, features_of(CpuBackend(backbone), residents, pixels))
        assert backend.doubt(residents[0].form) == 0
    _, residents, pixels = some_rows(backbone, 3)
    backend.warm_up([Example(residents[0].form, 4)])
    found = features_of(backend, residents, pixels)
    assert not torch.equal(found, features_of(CpuBackend(backbone), residents, pixels))
    assert backend.doubt(residents[0].form) == 0.5


def test_adapters_are_prepared_with_the_exact_trunk(backbone):
    adapter = make_adapter(backbone=backbone.spec)
    exact = make_resident(adapter, backbone)
    found = make_resident(adapter, Fp8Backend(backbone, 0.0).backbone)
    assert torch.equal(found.prefix, exact.prefix)


def test_what_is_measured_is_kept_and_read_for_its_own_backbone_alone(backbone, samples, tmp_path):
    found = measure_fp8(backbone, tmp_path / "fp8", samples, floor=0.0)
    assert read_measurement(tmp_path / "fp8", backbone.spec) == found
    assert found.doubt >= 0
    assert 0 <= found.agreement["pets"].same <= 1
    other = backbone.spec.model_copy(update={"weights_sha256": "0" * 64})
    with pytest.raises(ExportError, match=r"not of the backbone that serves .*weights_sha256"):
        read_measurement(tmp_path / "fp8", other)


def test_labels_that_fp8_changes_are_found_and_computed_again(backbone, tmp_path):
    torch.manual_seed(0)
    adapter = make_adapter(classes=2, backbone=backbone.spec)
    pixels = torch.randn(1, 3, 16, 16) + 0.05 * torch.randn(200, 3, 16, 16)
    first = make_resident(adapter, backbone)
    features = features_of(CpuBackend(backbone), [first] * 200, pixels).float()
    with torch.inference_mode():  # the boundary between both classes goes through these images
        lead = (features @ first.head_weight.T).diff(dim=1).median()
        resident = replace(first, head_bias=torch.stack([lead, torch.zeros(())]))
    found = measure_fp8(backbone, tmp_path, {"pets": Sample(resident, pixels)}, floor=0.9)
    assert found.doubt > 0
    assert found.agreement["pets"].same >= 0.9
    assert found.agreement["pets"].again > 0.05


def test_a_measured_read_out_is_the_one_that_is_rounded(backbone):
    of_mean = backbone.spec.model_copy(update=read_out("mean"))
    backend = Fp8Backend(backbone, 0.5, of_mean)
    doubts = {
        pooling: backend.doubt(some_rows(backbone, 1, pooling=pooling)[1][0].form)
        for pooling in ("cls", "mean")
    }
    assert doubts == {"cls": 0.0, "mean": 0.5}


def test_below_the_floor_nothing_is_written(backbone, samples, tmp_path):
    with pytest.raises(ExportError, match=r"pets [0-9.]+% with .* computed again"):
        measure_fp8(backbone, tmp_path / "fp8", samples, floor=1.01)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "{}", "no json"])
def test_a_measurement_that_cannot_be_read_says_how_to_make_it(damage, backbone, tmp_path):
    if damage != "missing":
        (tmp_path / REPORT).write_text(json.dumps({}) if damage == "{}" else damage)
    with pytest.raises(ExportError, match="run `spt export --precision fp8` for tiny"):
        read_measurement(tmp_path, backbone.spec)
