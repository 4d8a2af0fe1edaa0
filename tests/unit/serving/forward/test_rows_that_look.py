"""Attention in answers: that of the token form, for who asks, whatever runs the trunk."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from adapters.vit.pixels import normalise_batch
from serving.errors import BadParameter
from serving.forward import looking
from serving.forward.forward import collect, launch
from serving.protocol import Answer, floats
from serving.rows.query import LABELS_ALONE, Extras
from serving.trunk.cpu import CpuBackend
from tests.fakes.reference_attention import reference_looks
from tests.fakes.rows import seated, some_rows
from tests.fakes.tiny import tiny_backbone, tiny_trunk

ASKED = Extras(attention_bytes=1000, encoding="list")
LENGTHS = (4, 0, 30)


class Coarse(CpuBackend):
    """A backend whose features are wrong, and of whose rows none is in doubt by its margin."""

    def features(self, form, pixels, prompts):
        return super().features(form, pixels, prompts) + 1

    def doubt(self, form):
        return 1e-30

    @property
    def exact(self):
        return CpuBackend(self.backbone)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone(tiny_trunk(global_pool="map"), dtype=torch.float64)


def rows_of(backbone, *extras, **options):
    """Return rows of adapters of several lengths, and where each looks by the token form."""
    lengths = options.pop("lengths", LENGTHS)
    adapters, residents, _ = some_rows(backbone, len(extras), lengths=lengths, **options)
    crops = np.random.default_rng(0).integers(0, 256, (len(extras), 16, 16, 3), np.uint8)
    rows = [seated(*one) for one in zip(residents, crops, strict=True)]
    for row, asked in zip(rows, extras, strict=True):
        row.query = replace(row.query, extras=asked)
    rules = [resident.meta.preprocessing for resident in residents]
    pixels = normalise_batch(torch.from_numpy(crops), rules).double()
    looks = [
        reference_looks(backbone.trunk, adapter, image)
        for adapter, image in zip(adapters, pixels, strict=True)
    ]
    return rows, looks


def outcomes(backend, rows):
    again = collect(launch(backend, rows))
    assert again is None or collect(again) is None
    return [row.outcome for row in rows]


def assert_looks(answer, expected):
    patches, prompts = expected
    assert floats(answer.attention.values) == pytest.approx(patches.tolist(), rel=1e-8)
    assert answer.attention.prompts == pytest.approx(prompts, rel=1e-8)
    assert answer.attention.grid == (2, 2)
    assert np.array(answer.attention.array()).shape == (2, 2)
    assert Answer.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize("pooling", ["cls", "mean", "map"])
def test_rows_of_mixed_lengths_look_as_the_token_form_does(backbone, pooling):
    rows, looks = rows_of(backbone, *[ASKED] * 6, pooling=pooling)
    for row, answer, expected in zip(
        rows, outcomes(CpuBackend(backbone), rows), looks, strict=True
    ):
        assert_looks(answer, expected)
        is_seen = row.resident.num_prompts > 0 and pooling != "map"
        assert (answer.attention.prompts > 0) == is_seen


@pytest.mark.parametrize(
    ("method", "pooling"),
    [("spt-deep", "mean-with-prompts"), ("spt-shallow", "cls"), ("spt-shallow", "map")],
)
def test_so_do_rows_whose_prompts_are_tokens(backbone, method, pooling):
    rows, looks = rows_of(backbone, *[ASKED] * 2, method=method, pooling=pooling, lengths=(5,))
    for answer, expected in zip(outcomes(CpuBackend(backbone), rows), looks, strict=True):
        assert_looks(answer, expected)


def test_so_do_rows_that_fork(backbone):
    options = {"lengths": (4,), "first_blocks": (1,)}
    rows, _ = rows_of(backbone, *[ASKED] * 3, **options)
    for row in rows[1:]:
        row.picture, row.image = rows[0].picture, rows[0].image
    (alone,) = outcomes(CpuBackend(backbone), rows_of(backbone, ASKED, **options)[0])
    answers = outcomes(CpuBackend(backbone), rows)
    assert answers[0].attention.values == pytest.approx(alone.attention.values, rel=1e-8)
    assert len({answer.attention.values for answer in answers}) == 3


def test_who_does_not_ask_has_none_of_it_and_costs_no_forward(backbone, monkeypatch):
    rows, looks = rows_of(backbone, LABELS_ALONE, ASKED, Extras(embed=True))
    plain, told, embedded = outcomes(CpuBackend(backbone), rows)
    assert list(plain.model_dump()) == ["task", "version", "predictions"]
    assert list(embedded.model_dump()) == ["task", "version", "predictions", "embedding"]
    assert list(told.model_dump()) == ["task", "version", "predictions", "attention"]
    assert_looks(told, looks[1])
    monkeypatch.setattr(looking, "where_it_looks", lambda *_: pytest.fail("nobody has asked"))
    (row,), _ = rows_of(backbone, LABELS_ALONE)
    assert outcomes(CpuBackend(backbone), [row])[0].predictions


def test_under_a_trunk_that_rounds_attention_is_that_of_the_exact_one(backbone):
    rows, looks = rows_of(backbone, ASKED, LABELS_ALONE, ASKED)
    answers = outcomes(Coarse(backbone), rows)
    for place in (0, 2):
        assert_looks(answers[place], looks[place])
    assert answers[1].attention is None


@pytest.mark.parametrize(("encoding", "needed"), [("base64", 30), ("list", 80)])
def test_attention_that_takes_too_many_bytes_is_refused_for_its_row_alone(
    backbone, encoding, needed
):
    extras = [Extras(attention_bytes=one, encoding=encoding) for one in (needed - 1, needed)]
    rows, _ = rows_of(backbone, *extras, LABELS_ALONE)
    refused, *answers = outcomes(CpuBackend(backbone), rows)
    assert isinstance(refused, BadParameter)
    assert f"attention: that of pets takes {needed} bytes, {needed - 1} are left" in str(refused)
    assert all(isinstance(answer, Answer) for answer in answers)


def test_both_encodings_hold_the_same_float32(backbone):
    found = [
        outcomes(CpuBackend(backbone), rows_of(backbone, replace(ASKED, encoding=one))[0])[0]
        for one in ("base64", "list")
    ]
    one, other = (np.array(floats(answer.attention.values), np.float32) for answer in found)
    np.testing.assert_array_equal(one, other)
    assert isinstance(found[0].attention.values, str)
