"""Each refusal becomes one class, wherever it comes from."""

import httpx
import pytest
from fake_service import failure

from clients import errors
from clients.errors import (
    CLASS_OF,
    BadRequest,
    ClientError,
    ImageTooLarge,
    NotReady,
    ServerFault,
    TaskNotFound,
    UnexpectedAnswer,
    VersionNotFound,
    WrongBackbone,
    from_failure,
    from_response,
)
from serving.protocol import HTTP_STATUS, ErrorCode, MultiAnswer


def test_every_code_has_a_status_and_a_class():
    assert set(HTTP_STATUS) == set(CLASS_OF) == set(ErrorCode)


def test_the_drawn_tree_is_the_tree():
    for kind in ClientError.__subclasses__():
        assert f"─ {kind.__name__} " in errors.__doc__


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("bad_image", 400, BadRequest),
        ("image_too_large", 413, ImageTooLarge),
        ("bad_parameter", 400, BadRequest),
        ("task_not_found", 404, TaskNotFound),
        ("version_not_found", 404, VersionNotFound),
        ("wrong_backbone", 409, WrongBackbone),
        ("adapter_damaged", 500, ServerFault),
        ("store_unavailable", 503, NotReady),
        ("not_ready", 503, NotReady),
        ("internal", 500, ServerFault),
    ],
)
def test_our_own_body(code, status, kind):
    entry = failure(code, "digits: what happened", "digits")
    error = from_response(status, entry.model_dump_json().encode())
    assert type(error) is kind
    assert str(error) == "digits: what happened"
    assert (error.status, error.code, error.task) == (status, code, "digits")
    assert from_failure(entry).status == status


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequest), (503, NotReady), (502, ServerFault), (418, ClientError)]
)
def test_a_code_of_a_newer_service_falls_back_on_the_status(status, kind):
    error = from_response(status, failure("quota", "no more").model_dump_json().encode())
    assert isinstance(error, kind)
    assert (error.code, error.task) == ("quota", None)


def test_many_failures_are_told_by_the_first():
    both = MultiAnswer(answers=(failure("task_not_found", "a", "a"), failure("internal", "b", "b")))
    error = from_response(404, both.model_dump_json().encode())
    assert type(error) is TaskNotFound
    assert error.task == "a"


@pytest.mark.parametrize(
    ("status", "type_", "message", "kind", "hint"),
    [
        (503, "ServiceUnavailableException", "has no worker", NotReady, "queue is full"),
        (503, "InternalServerException", "Prediction failed", ServerFault, "Prediction failed"),
        (507, "InternalServerException", "Out of resources", ServerFault, "Out of resources"),
        (500, "InternalServerException", "Worker died.", ServerFault, "Worker died"),
        (400, "InvalidKeyException", "Token", BadRequest, "InvalidKeyException, 400"),
        (404, "ModelNotFoundException", "Model not found: x", UnexpectedAnswer, "model's name"),
        (405, "MethodNotAllowedException", "no", UnexpectedAnswer, "check the address"),
    ],
)
def test_torchserves_own_body(status, type_, message, kind, hint):
    body = httpx.Response(status, json={"code": status, "type": type_, "message": message})
    error = from_response(status, body.content)
    assert type(error) is kind
    assert message in str(error)
    assert hint in str(error)
    assert (error.status, error.code, error.task) == (status, None, None)


def test_the_bare_413_says_what_to_do():
    error = from_response(413, b"")
    assert type(error) is ImageTooLarge
    assert "send a smaller image" in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(502, ServerFault), (503, NotReady), (302, UnexpectedAnswer), (404, UnexpectedAnswer)],
)
def test_a_foreign_page_is_quoted(status, kind):
    error = from_response(status, b"<html>proxy</html>")
    assert type(error) is kind
    assert "<html>proxy" in str(error)
