"""A list of images is taken apart into images and faults, and has a limit with its tasks."""

import json
from base64 import b64encode

import pytest

from adapters.errors import BadImage
from serving.door.admission import Admission
from serving.door.call import parse_call
from serving.door.fields import fields_of_json, is_json, row_of
from serving.door.images import images_of
from serving.door.rate_limit import RateLimit
from serving.door.replies import queries_of, reply_of
from serving.errors import BadParameter
from serving.protocol import (
    MAX_ATTENTION_BYTES,
    MAX_LOGITS_BYTES,
    MAX_ROWS_PER_CALL,
    Answer,
    ErrorCode,
    ImagesAnswer,
    LabelScore,
)

ONE, OTHER = b"an image", b"another"


def test_a_list_of_one_is_a_list() -> None:
    assert images_of({"images": ONE}) == ([ONE], [None], True)
    assert images_of({"images": (ONE, OTHER)}) == ([ONE, OTHER], [None, None], True)


def test_what_is_no_image_in_a_list_is_a_fault_of_its_own() -> None:
    found = images_of({"images": (ONE, "text", {"an": "object"}, bytearray(OTHER))})
    assert found.encoded == [ONE, b"", b"", OTHER]
    assert [isinstance(fault, BadImage) for fault in found.faults] == [False, True, True, False]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/jsonl", False),
        ("image/png", False),
        ("", False),
        (None, False),
    ],
)
def test_json_is_told_by_its_content_type(kind: str | None, expected: bool) -> None:
    assert is_json(kind) == expected


@pytest.mark.parametrize("as_bytes", [True, False])
def test_the_fields_of_json_are_those_of_a_form(as_bytes: bool) -> None:
    said = {"task": "pets", "top_k": 3, "embed": True, "version": None}
    body = said | {"images": [b64encode(ONE).decode(), b64encode(OTHER).decode()]}
    row = row_of(fields_of_json(json.dumps(body).encode() if as_bytes else body))
    assert row == {
        "task": "pets", "top_k": "3", "embed": "true", "version": None, "images": (ONE, OTHER),
    }  # fmt: skip
    assert parse_call(row, None).images == [ONE, OTHER]


@pytest.mark.parametrize("body", [b"", b"\x89PNG", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, [1]])
def test_a_body_that_is_no_object_is_the_image_itself(body: object) -> None:
    assert fields_of_json(body) == [("body", body)]


@pytest.mark.parametrize("images", [[], None, "x", {"a": 1}, 5, "x" * 10**6])
def test_json_without_a_list_of_images_is_refused_in_a_short_message(images: object) -> None:
    with pytest.raises(BadParameter, match="images: expected a list") as caught:
        fields_of_json({"images": images})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["a", "a b=", "data:image/png;base64,eA==", "eA==\n", "é", 7, []])
def test_what_is_no_base64_is_a_fault_of_its_own(text: object) -> None:
    ((_, fault),) = fields_of_json({"images": [text]})
    assert isinstance(fault, BadImage)
    assert images_of({"images": fault}).faults == [fault]


def test_the_rows_of_a_list_share_what_logits_and_attention_may_take() -> None:
    asked = {"logits": b"true", "attention": b"true"}
    call = parse_call({"task": b"a,b", **asked, "images": (ONE,) * 3}, None)
    assert call.request.extras.logits_bytes == MAX_LOGITS_BYTES // 6
    assert call.request.extras.attention_bytes == MAX_ATTENTION_BYTES // 6


@pytest.mark.parametrize(("tasks", "images"), [("a", 33), ("a,b", 17), ("a,b,c", 11)])
def test_images_times_tasks_have_a_limit(tasks: str, images: int) -> None:
    asked = {"task": tasks, "images": (ONE,) * (images - 1)}
    assert len(parse_call(asked, None).images) == images - 1
    with pytest.raises(BadParameter, match=f"the limit is {MAX_ROWS_PER_CALL}"):
        parse_call(asked | {"images": (ONE,) * images}, None)


def test_a_fault_asks_nothing_of_the_engine_and_keeps_its_place() -> None:
    request, images = parse_call({"task": "a,b", "images": (ONE, "text", OTHER)}, None)
    (row,) = Admission(None, RateLimit()).admit([request], [None])
    queries = queries_of(row, images)
    assert [(query.image, query.task) for query in queries] == [
        (ONE, "a"), (ONE, "b"), (OTHER, "a"), (OTHER, "b"),
    ]  # fmt: skip
    label = LabelScore(label="x", index=0, score=1.0)
    outcomes = [Answer(task=q.task, version="0" * 64, predictions=(label,)) for q in queries]
    reply = reply_of(row, iter(outcomes))
    first, second, third = ImagesAnswer.model_validate_json(reply.body).results
    assert reply.status == 200
    assert first.answers == third.answers == tuple(outcomes[:2])
    assert [entry.error.code for entry in second.answers] == [ErrorCode.BAD_IMAGE] * 2
    assert [entry.error.task for entry in second.answers] == ["a", "b"]
