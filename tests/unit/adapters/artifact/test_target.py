"""What logits stand for: the formulas, what an artifact may say, and who refuses to read it."""

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit

from adapters.artifact.codec import read_contents
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.target import MultiLabel, Ordinal, Regression, group_scores
from adapters.artifact.unknown import UnknownRule
from adapters.vit.adapter import encode
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.targets import GROUPS, NUMBER, ORDERED, SEVERAL, adapters_of_targets

LOGITS = np.array([[-800.0, -1.5, 0.0, 800.0], [3.0, 2.0, -2.0, -7.0]], np.float32)
ADAPTERS = adapters_of_targets(make_spec())
RULE = UnknownRule(score="energy", threshold=1.0, images=9, false_reject_rate=0.0)


def test_probabilities_of_several_classes_are_sigmoids_even_of_huge_logits() -> None:
    found = SEVERAL.probabilities(LOGITS, 2.0)
    assert found == pytest.approx(expit(LOGITS.astype(float) / 2), abs=1e-15)
    assert SEVERAL.has(np.array([0.5, 0.199, 0.9, 0.01])).tolist() == [True, False, True, True]


def test_a_number_is_back_in_the_unit_of_its_labels() -> None:
    assert NUMBER.value(np.array([[2.0], [-0.5]], np.float32)).tolist() == [21.0, -9.625]


def test_the_value_of_ordered_classes_lies_between_them() -> None:
    sure = np.array([[0.0, 0.0, 900.0], [0.0, 900.0, 0.0], [1.0, 1.0, 1.0]], np.float32)
    assert ORDERED.value(sure, 1.0).tolist() == pytest.approx([2.5, 0.0, 0.5])
    assert ORDERED.value(sure, 1e2)[0] < 2.5


def test_groups_sum_the_probabilities_of_their_classes_the_likeliest_first() -> None:
    found = group_scores(GROUPS, np.array([0.3, 0.45, 0.25]))
    assert list(found.items()) == [("animal", pytest.approx(0.55)), ("plant", 0.45)]


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_artifact_keeps_what_it_says(name: str) -> None:
    meta = ADAPTERS[name].meta
    assert read_contents(encode(ADAPTERS[name])).meta == meta
    assert meta.needs_logits


def test_who_knows_no_targets_refuses_them_by_the_version_of_the_schema() -> None:
    # readers of before had `schema_version: Literal[1]`, and would have taken the softmax
    versions = {name: _document(name)["schema_version"] for name in ADAPTERS}
    assert versions == {"several": 2, "number": 2, "ordered": 2, "grouped": 1}


def test_other_artifacts_say_nothing_of_targets() -> None:
    plain = make_adapter().meta
    assert not {"target", "class_groups"} & plain.model_dump().keys()
    assert (plain.schema_version, plain.needs_logits) == (1, False)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        (
            "several",
            {"schema_version": 1},
            "schema_version is 1, expected 2 for target multi-label",
        ),
        (
            "grouped",
            {"schema_version": 2},
            "schema_version is 2, expected 1 for target single-label",
        ),
        ("several", {"target": MultiLabel(thresholds=(0.5,))}, "1 thresholds for 4 classes"),
        ("several", {"target": NUMBER}, "1 outputs for 4 classes"),
        ("ordered", {"target": Ordinal(values=(1.0, 2.0))}, "2 values for 3 classes"),
        ("ordered", {"class_groups": ("a",)}, "1 groups for 3 classes"),
        (
            "several",
            {"class_groups": ("a",) * 4},
            "groups of classes, and the target is multi-label",
        ),
        ("ordered", {"unknown": RULE}, "unknown images, and the target is ordinal"),
        ("several", {"target": {"kind": "ranking"}}, "does not match any of the expected tags"),
        ("number", {"target": NUMBER.model_dump() | {"unit": "cm"}}, "Extra inputs"),
    ],
)
def test_what_contradicts_itself_or_is_not_known_is_refused(
    name: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        AdapterMeta.model_validate(ADAPTERS[name].meta.model_dump() | changes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MultiLabel(thresholds=(1.5,)),
        lambda: Regression(mean=0.0, scale=0.0),
        lambda: Regression(mean=float("nan"), scale=1.0),
        lambda: Regression(mean=0.0, scale=1e200),
        lambda: Ordinal(values=(1.0, 1.0)),
        lambda: Ordinal(values=(2.0,)),
    ],
)
def test_numbers_that_no_training_gives_are_refused(make: Any) -> None:
    with pytest.raises(ValidationError):
        make()


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(read_contents(encode(ADAPTERS[name])).document)
    return document
