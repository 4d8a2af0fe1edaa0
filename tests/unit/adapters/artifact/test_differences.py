from typing import Any

import pytest

from adapters.artifact.differences import Difference, differences
from tests.fakes.artifacts import make_adapter, make_spec


def found(**changes: Any) -> dict[str, tuple[Any, Any]]:
    listed = differences(make_adapter(), make_adapter(**changes))
    return {one.field: (one.before, one.after) for one in listed}


def test_adapters_that_differ_in_tensors_alone_differ_in_nothing_here() -> None:
    assert differences(make_adapter(), make_adapter()) == []


@pytest.mark.parametrize(
    ("changes", "field", "values"),
    [
        ({"seed": 1}, "recipe.seed", (0, 1)),
        ({"method": "spt-shallow"}, "method", ("spt-deep", "spt-shallow")),
        ({"method": "spt-shallow"}, "prompts", ([2, 4, 8], [1, 4, 8])),
        ({"method": "linear"}, "prompts", ([2, 4, 8], None)),
        ({"prompts": 5}, "prompts", ([2, 4, 8], [2, 5, 8])),
        ({"metrics": {"test_accuracy": 0.8}}, "metrics.test_accuracy", (0.75, 0.8)),
        ({"metrics": {}}, "metrics.test_accuracy", (0.75, None)),
        ({"backbone": make_spec(weights_sha256="cd" * 32)}, "backbone.weights_sha256", None),
    ],
)
def test_a_difference_has_its_field_and_both_values(
    changes: dict[str, Any], field: str, values: tuple[Any, Any] | None
) -> None:
    assert found(**changes)[field] == (values or ("ab" * 32, "cd" * 32))


def test_only_what_differs_is_listed() -> None:
    assert differences(make_adapter(), make_adapter(metrics={"test_accuracy": 0.5})) == [
        Difference("metrics.test_accuracy", 0.75, 0.5)
    ]


def test_class_names_are_left_out() -> None:
    assert not any("class" in field for field in found(classes=4))
