"""Features and logits in answers: those of the token form, for who asks, and exact."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from adapters.artifact.unknown import UnknownRule, known_score
from adapters.errors import ArtifactCorrupt
from adapters.vit.pixels import normalise_batch
from serving.errors import BadParameter
from serving.forward.forward import collect, launch
from serving.protocol import Answer, floats
from serving.rows.query import Extras
from serving.trunk.cpu import CpuBackend
from tests.fakes.rows import expected_of, seated, some_rows
from tests.fakes.tiny import tiny_backbone

ALL = Extras(embed=True, logits_bytes=10_000)
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
    return tiny_backbone()


def rows_of(backbone, *extras):
    """Return rows of adapters of several lengths, and the features and logits of each."""
    adapters, residents, _ = some_rows(backbone, len(extras), lengths=LENGTHS)
    crops = np.random.default_rng(0).integers(0, 256, (len(extras), 16, 16, 3), np.uint8)
    rows = [seated(*one) for one in zip(residents, crops, strict=True)]
    for row, asked in zip(rows, extras, strict=True):
        row.query = replace(row.query, extras=asked)
    rules = [resident.meta.preprocessing for resident in residents]
    features = expected_of(adapters, normalise_batch(torch.from_numpy(crops), rules))
    logits = [
        adapter.head_weight.double() @ feature + adapter.head_bias.double()
        for adapter, feature in zip(adapters, features, strict=True)
    ]
    return rows, features, logits


def outcomes(backend, rows):
    again = collect(launch(backend, rows))
    assert again is None or collect(again) is None
    return [row.outcome for row in rows]


def close_to(numbers):
    return pytest.approx(numbers.tolist(), abs=1e-4)


@pytest.mark.parametrize("encoding", ["base64", "list"])
def test_a_row_has_the_feature_under_its_own_prompts_and_its_own_logits(backbone, encoding):
    rows, features, logits = rows_of(backbone, *[replace(ALL, encoding=encoding)] * 3)
    for row, answer, feature, own in zip(
        rows, outcomes(CpuBackend(backbone), rows), features, logits, strict=True
    ):
        assert isinstance(answer.embedding, str if encoding == "base64" else tuple)
        assert floats(answer.embedding) == close_to(feature)
        assert floats(answer.logits) == close_to(own)
        assert answer.class_names == row.resident.meta.task.class_names
        assert Answer.model_validate_json(answer.model_dump_json()) == answer
        scores = (torch.tensor(floats(answer.logits)) / row.resident.meta.temperature).softmax(0)
        best = answer.predictions[0]
        assert (best.index, best.score) == (
            int(scores.argmax()),
            pytest.approx(float(scores.max())),
        )


def test_who_asks_for_nothing_gets_the_bytes_that_there_always_were(backbone):
    rows, features, _ = rows_of(backbone, Extras(), Extras(embed=True), Extras(encoding="list"))
    plain, embedded, third = outcomes(CpuBackend(backbone), rows)
    for answer in (plain, third):
        assert list(answer.model_dump(mode="json")) == ["task", "version", "predictions"]
    assert list(embedded.model_dump(mode="json")) == ["task", "version", "predictions", "embedding"]
    assert floats(embedded.embedding) == close_to(features[1])


def test_both_encodings_hold_the_same_float32(backbone):
    found = [
        outcomes(CpuBackend(backbone), rows_of(backbone, replace(ALL, encoding=one))[0])[0]
        for one in ("base64", "list")
    ]
    one, other = (np.array(floats(answer.embedding), np.float32) for answer in found)
    np.testing.assert_array_equal(one, other)


def test_no_row_gets_numbers_of_a_trunk_that_rounds(backbone):
    rows, features, logits = rows_of(backbone, ALL, Extras(), ALL)
    answers = outcomes(Coarse(backbone), rows)
    for place in (0, 2):
        assert floats(answers[place].embedding) == close_to(features[place])
        assert floats(answers[place].logits) == close_to(logits[place])


def test_logits_that_take_too_many_bytes_are_refused_for_their_row_alone(backbone):
    rows, *_ = rows_of(backbone, Extras(logits_bytes=80), Extras(logits_bytes=81), Extras())
    refused, *answers = outcomes(CpuBackend(backbone), rows)
    assert isinstance(refused, BadParameter)
    assert "the 3 classes of pets take 81 bytes with their names, 80 are left" in str(refused)
    assert all(isinstance(answer, Answer) for answer in answers)


def test_a_feature_that_is_no_number_is_never_answered(backbone):
    rows, *_ = rows_of(backbone, ALL)
    rows[0].resident = replace(
        rows[0].resident, head_bias=torch.tensor([0.0, 0.0, -torch.inf])
    )  # whose probability is a number, 0
    (outcome,) = outcomes(CpuBackend(backbone), rows)
    assert isinstance(outcome, ArtifactCorrupt)


def with_rule(resident, threshold):
    rule = UnknownRule(score="energy", threshold=threshold, images=100, false_reject_rate=0.05)
    return replace(resident, meta=resident.meta.model_copy(update={"unknown": rule}))


@pytest.mark.parametrize("backend_of", [CpuBackend, Coarse])
def test_a_task_with_a_threshold_says_whether_an_image_is_unknown(backbone, backend_of):
    rows, _, logits = rows_of(backbone, Extras(), Extras(), Extras())
    for row, own, offset in zip(rows[:2], logits, (-0.01, 0.01), strict=False):
        exact = float(known_score("energy", own.numpy(), row.resident.meta.temperature))
        row.resident = with_rule(row.resident, exact + offset)
    known, unknown, without = outcomes(backend_of(backbone), rows)
    assert (known.unknown, unknown.unknown, without.unknown) == (False, True, None)
    assert "unknown" not in without.model_dump()
    for answer in (known, unknown):
        assert len(answer.predictions) == 1
        assert list(answer.model_dump()) == ["task", "version", "predictions", "unknown"]
