"""Answers become tensors: a row for each image, and only what the task has."""

from base64 import b64encode
from struct import pack
from typing import Any

import pytest

from serving.dialects.oip.outputs import check_names, outputs_of, tensors_of
from serving.errors import BadParameter
from serving.protocol import Answer, LabelScore

LABELS = tuple(LabelScore(label=f"l{i}", index=i, score=0.5 / (i + 1)) for i in range(3))
USUAL = {"labels", "scores", "indices", "version"}


def answer(**more: Any) -> Answer:
    return Answer(**{"task": "pets", "version": "0" * 64, "predictions": LABELS} | more)


def found(*answers: Answer, wanted: tuple[str, ...] = ()) -> dict[str, tuple[Any, Any]]:
    return {one.name: (one.shape, one.values) for one in tensors_of(answers, wanted)}


def test_every_image_is_a_row() -> None:
    tensors = found(answer(), answer(predictions=LABELS[::-1]))
    assert tensors.keys() == USUAL
    assert tensors["labels"] == ((2, 3), ["l0", "l1", "l2", "l2", "l1", "l0"])
    assert tensors["indices"] == ((2, 3), [0, 1, 2, 2, 1, 0])
    assert tensors["version"] == ((2,), ["0" * 64] * 2)


def test_a_task_has_the_outputs_of_its_target() -> None:
    several = answer(target="multi-label", labels=("l1",))
    assert found(several)["present"] == ((1, 3), [False, True, False])
    number = found(answer(target="regression", predictions=(), value=-2.5))
    assert number.keys() == {"values", "version"}
    assert number["values"] == ((1,), [-2.5])
    assert found(answer(target="ordinal", value=1.0)).keys() == USUAL | {"values"}
    assert found(answer(unknown=False))["unknown"] == ((1,), [False])


@pytest.mark.parametrize(
    ("target", "one"),
    [
        (None, answer()),
        ("single-label", answer()),
        ("multi-label", answer(labels=())),
        ("regression", answer(predictions=(), value=1.0)),
        ("ordinal", answer(value=1.0)),
    ],
)
def test_what_is_said_of_a_model_is_what_it_answers(target: str | None, one: Answer) -> None:
    usual = {tensor.name: tensor for tensor in outputs_of(target)}
    assert usual.keys() - {"embedding", "logits"} == found(one).keys()
    for tensor in tensors_of([one], []):
        said = usual[tensor.name]
        assert (said.datatype, len(said.shape)) == (tensor.datatype, len(tensor.shape))


def test_numbers_are_there_if_they_are_asked_for() -> None:
    numbers = b64encode(pack("<3f", 1, 2, 3)).decode()
    one = answer(embedding=numbers, logits=(0.5, 0.25))
    assert found(one, wanted=("logits", "embedding")) == {
        "logits": ((1, 2), [0.5, 0.25]),
        "embedding": ((1, 3), [1.0, 2.0, 3.0]),
    }
    assert found(one).keys() == USUAL


def test_a_row_with_fewer_labels_shortens_the_others() -> None:
    tensors = found(answer(), answer(predictions=LABELS[:1]))
    assert tensors["labels"] == ((2, 1), ["l0", "l0"])


def test_what_is_no_tensor_or_is_not_there_is_told() -> None:
    with pytest.raises(BadParameter, match="has no values; it has labels, scores"):
        found(answer(), wanted=("values",))
    rows = answer(logits=(1.0,)), answer(logits=(1.0, 2.0))
    with pytest.raises(BadParameter, match="versions with different numbers of classes"):
        found(*rows, wanted=("logits",))
    with pytest.raises(BadParameter, match="found 'boxes'"):
        check_names(["labels", "boxes"])
    with pytest.raises(BadParameter, match="more than once"):
        check_names(["labels", "labels"])
