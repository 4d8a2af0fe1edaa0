"""Everything that a caller can get wrong is refused before any work is done."""

from typing import Any

import pytest

from adapters.errors import BadImage
from serving.door.images import images_of
from serving.door.request import Request, parse_request, read_header
from serving.errors import BadParameter
from serving.protocol import (
    DEFAULT_TOP_K,
    MAX_ATTENTION_BYTES,
    MAX_LOGITS_BYTES,
    MAX_TASKS_PER_CALL,
    MAX_TOP_K,
    ErrorCode,
)
from serving.rows.query import LABELS_ALONE, Extras
from tests.fakes import hostile
from tests.fakes.hostile import BadCall

IMAGE = b"an image"
SEVERAL = ",".join(f"task{i}" for i in range(MAX_TASKS_PER_CALL))
MALFORMED = [call for call in hostile.bad_calls("pets") if call.code == ErrorCode.BAD_PARAMETER]
WELL_FORMED = [call for call in hostile.bad_calls("pets") if call.code != ErrorCode.BAD_PARAMETER]


def row(*params: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return what TorchServe makes of a call: parameters as bytearrays, beside the body."""
    return {name: bytearray(value.encode()) for name, value in params} | {"body": IMAGE} | more


@pytest.mark.parametrize("call", MALFORMED, ids=lambda call: call.name)
def test_a_malformed_call_is_refused_in_a_short_message(call: BadCall) -> None:
    with pytest.raises(BadParameter) as caught:
        parse_request(row(*call.params), None)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("call", WELL_FORMED, ids=lambda call: call.name)
def test_a_call_that_only_the_store_can_refuse_passes(call: BadCall) -> None:
    assert parse_request(row(*call.params), None).tasks == (dict(call.params)["task"],)


def test_a_task_is_enough() -> None:
    found = parse_request(row(("task", "pets")), None)
    assert found == Request(("pets",), DEFAULT_TOP_K, None)


def test_every_parameter_arrives() -> None:
    version = "0123456789abcdef" * 4
    found = parse_request(row(("task", "pets"), ("top_k", "7"), ("version", version)), None)
    assert found == Request(("pets",), 7, version)


def test_several_tasks_keep_their_order() -> None:
    assert parse_request(row(("task", "b,c,a")), None).tasks == ("b", "c", "a")
    assert len(parse_request(row(("task", SEVERAL)), None).tasks) == MAX_TASKS_PER_CALL


@pytest.mark.parametrize(
    ("asked", "header", "told"),
    [
        ({"task": (b"pets", b"cars")}, None, "task: given 2 times"),
        ({"task": b"pets", "top_k": (b"1", b"2")}, None, "top_k: given 2 times"),
        ({"task": b"pets", "version": (b"0" * 64,) * 3}, None, "version: given 3 times"),
        ({"task": b"b,a,b"}, None, "b is asked more than once"),
        ({"task": b"pets"}, "cars", "the query names 'pets' and the header 'cars'"),
    ],
)
def test_what_is_said_twice_is_refused_and_never_half_answered(
    asked: dict[str, Any], header: str | None, told: str
) -> None:
    with pytest.raises(BadParameter, match=told):
        parse_request({"body": IMAGE} | asked, header)


def test_two_images_of_one_name_are_refused() -> None:
    with pytest.raises(BadParameter, match="found 2 called body"):
        images_of({"task": b"pets", "body": (IMAGE, IMAGE)})


def test_the_header_names_the_task_where_the_query_does_not() -> None:
    assert parse_request(row(), "pets").tasks == ("pets",)
    assert parse_request(row(("task", "")), "pets").tasks == ("pets",)
    assert parse_request(row(("task", "pets")), "pets").tasks == ("pets",)
    with pytest.raises(BadParameter, match="not a task id"):
        parse_request(row(), "../pets")


@pytest.mark.parametrize("text", ["1", "5", "05", str(MAX_TOP_K)])
def test_top_k_is_taken_within_its_limits(text: str) -> None:
    assert parse_request(row(("task", "pets"), ("top_k", text)), None).top_k == int(text)


@pytest.mark.parametrize("text", ["abcdef", "0" * 64])
def test_a_version_may_be_a_prefix(text: str) -> None:
    assert parse_request(row(("task", "pets"), ("version", text)), None).version == text


@pytest.mark.parametrize("text", ["ABCDEF", "abcde", "0" * 65, "abcdefg", ""])
def test_a_version_is_six_to_64_lower_hex_digits(text: str) -> None:
    with pytest.raises(BadParameter, match="version: expected 6 to 64 hex digits"):
        parse_request(row(("task", "pets"), ("version", text)), None)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_image_may_be_any_kind_of_bytes(kind: Any) -> None:
    assert images_of(row(("task", "pets"), body=kind(IMAGE))).encoded == (IMAGE,)


def test_a_multipart_call_has_its_image_in_data_and_its_fields_as_text() -> None:
    form = {"data": IMAGE, "task": "pets", "top_k": "2"}
    assert parse_request(form, None) == Request(("pets",), 2, None)
    assert images_of(form) == ((IMAGE,), (None,), False)


def test_a_call_without_a_body_has_an_empty_image() -> None:
    assert images_of({"task": bytearray(b"pets")}).encoded == (b"",)


@pytest.mark.parametrize("body", [{"an": "object"}, "text", ["a", "list"], 5, None])
def test_a_body_that_torchserve_decoded_is_no_image(body: object) -> None:
    with pytest.raises(BadImage, match="octet-stream"):
        images_of(row(("task", "pets"), body=body))


def test_the_invocations_route_adds_a_name_that_is_ignored() -> None:
    assert parse_request(row(("task", "pets"), ("model_name", "spt")), None).tasks == ("pets",)


def test_bytes_that_are_not_text_are_a_bad_parameter() -> None:
    with pytest.raises(BadParameter):
        parse_request(row() | {"task": bytearray(b"\xff\xfe")}, None)


@pytest.mark.parametrize("value", [b"", b"x", bytearray(b"\x89PNG"), "text", {"an": "object"}])
def test_a_parameter_that_is_called_like_the_other_image_is_refused(value: object) -> None:
    # the query's `data=…` beside a body; TorchServe lets the real body replace the query's `body=…`
    with pytest.raises(BadParameter, match="expected one image, found two: body and data"):
        images_of(row(("task", "pets")) | {"data": value})


@pytest.mark.parametrize("name", ["", "X" * 5000, "\0", "ta sk", "tásk", "TASK", "body ", "model"])
def test_a_parameter_with_an_odd_name_is_refused_in_a_short_message(name: str) -> None:
    with pytest.raises(BadParameter, match="unknown parameter") as caught:
        parse_request(row(("task", "pets")) | {name: bytearray(b"x")}, None)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", [*("task", "top_k", "version", "embed"), *("logits", "attention", "encoding")]
)
@pytest.mark.parametrize(
    "value", [{"a": 1}, ["pets"], True, None, 1.5, b"\xff\xfe", "\ud800", "x" * 10**6]
)
def test_a_parameter_of_an_odd_type_is_refused_or_taken_for_its_absence(
    name: str, value: object
) -> None:
    # a multipart field that is called JSON arrives as whatever its JSON is
    odd = row(("task", "pets")) | {name: value}
    if value is None:
        assert parse_request(odd, "pets").tasks == ("pets",)
        return
    with pytest.raises(BadParameter) as caught:
        parse_request(odd, "pets")
    assert len(str(caught.value)) < 400


def test_a_number_from_json_is_taken_as_its_text() -> None:
    assert parse_request(row(("task", "pets")) | {"top_k": 7}, None).top_k == 7


@pytest.mark.parametrize("task", ["x" * 8000, "a" + ",a" * 4000, "\x7f", "pets\r\nX-Api-Key: k"])
def test_a_task_header_of_any_size_is_refused_in_a_short_message(task: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse_request(row(), task)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ({}, None),
        ({"X-Api-Key": "k"}, "k"),
        ({"x-api-key": "k"}, "k"),
        ({"X-API-Key": "k"}, "k"),
        ({"X-API-KEY": "k"}, "k"),
        ({"X-Api-Key": ""}, ""),
        ({"X-Api-Key": "k", "x-api-key": "k"}, "k"),
        ({"X-Api-Key": "k", "x-api-key": "another"}, None),
        ({"X-Api-Key": {"content-type": "text/plain"}}, None),
        ({"X-Api-Key": {"content-type": ""}, "x-api-key": "k"}, "k"),
        ({"Api-Key": "k"}, None),
    ],
)
def test_a_header_is_found_in_its_usual_spellings(headers: dict[str, Any], value: Any) -> None:
    assert read_header(headers.get, "X-Api-Key") == value


def test_what_is_answered_beside_labels_is_asked_by_name() -> None:
    def extras(*params: tuple[str, str]) -> Extras:
        return parse_request(row(("task", "pets"), *params), None).extras

    assert extras() == extras(("embed", "false"), ("logits", "false")) == LABELS_ALONE
    assert extras(("embed", "true")) == Extras(embed=True)
    assert extras(("logits", "true")) == Extras(logits_bytes=MAX_LOGITS_BYTES)
    assert extras(("embed", "true"), ("encoding", "list")) == Extras(embed=True, encoding="list")
    assert extras(("attention", "true")) == Extras(attention_bytes=MAX_ATTENTION_BYTES)


def test_the_tasks_of_a_call_share_what_logits_and_attention_may_take() -> None:
    asked = ("logits", "true"), ("attention", "true")
    found = parse_request(row(("task", "a,b,c"), *asked), None)
    assert found.extras.logits_bytes == MAX_LOGITS_BYTES // 3
    assert found.extras.attention_bytes == MAX_ATTENTION_BYTES // 3
