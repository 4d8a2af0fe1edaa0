"""Each refusal becomes one class, wherever it comes from."""

import httpx
import pytest

from clients import errors
from clients.errors import (
    CLASS_OF,
    BadKey,
    BadRequest,
    BodyTooSlow,
    ClientError,
    Forbidden,
    ImageTooLarge,
    NotReady,
    RateLimited,
    ServerFault,
    ServiceUnreachable,
    TaskNotFound,
    UnexpectedAnswer,
    VersionNotFound,
    WrongBackbone,
    from_failure,
    from_response,
    is_bad_token,
)
from serving.protocol import HTTP_STATUS, ErrorCode, MultiAnswer
from tests.unit.clients.fake_service import failure


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
        ("bad_key", 401, BadKey),
        ("forbidden", 403, Forbidden),
        ("rate_limited", 429, RateLimited),
        ("task_not_found", 404, TaskNotFound),
        ("version_not_found", 404, VersionNotFound),
        ("wrong_backbone", 409, WrongBackbone),
        ("adapter_damaged", 500, ServerFault),
        ("adapter_not_trusted", 500, ServerFault),
        ("store_unavailable", 503, NotReady),
        ("not_ready", 503, NotReady),
        ("out_of_memory", 507, NotReady),
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
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, BadKey),
        (403, Forbidden),
        (429, RateLimited),
        (503, NotReady),
        (502, ServerFault),
        (418, ClientError),
    ],
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
        (500, "InternalServerException", "Worker died.", NotReady, "being started again"),
        (500, "InternalServerException", "Unexpected", ServerFault, "Unexpected"),
        (400, "InvalidKeyException", "Token", BadKey, "no token, or one that has expired"),
        (400, "BadRequestException", "Parameter", BadRequest, "Parameter"),
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


def test_what_may_help_to_ask_again_is_retryable_and_nothing_else():
    kinds = {kind for kind in ClientError.__subclasses__() if kind.retryable}
    assert kinds == {ServiceUnreachable, NotReady, RateLimited, BodyTooSlow}


def test_a_failure_says_when_to_ask_again_and_goes_before_the_header():
    entry = failure("rate_limited", "no more", "digits", retry_after_s=0.25)
    assert from_failure(entry).retry_after_s == 0.25
    body = entry.model_dump_json().encode()
    assert from_response(429, body, retry_after_s=1.0).retry_after_s == 0.25
    silent = failure("rate_limited", "no more").model_dump_json().encode()
    assert from_response(429, silent, retry_after_s=1.0).retry_after_s == 1.0
    assert from_response(503, b"proxy", retry_after_s=7.0).retry_after_s == 7.0
    assert from_response(503, b"proxy").retry_after_s is None


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_token_is_known_by_its_type(status):
    body = {"code": status, "type": "InvalidKeyException", "message": "Token"}
    assert is_bad_token(status, httpx.Response(status, json=body).content)


def test_a_refused_token_is_known_by_our_code():
    assert is_bad_token(401, failure("bad_token", "no").model_dump_json().encode())


def test_nothing_else_is_a_refused_token():
    body = {"code": 400, "type": "InvalidKeyException", "message": "Token"}
    assert not is_bad_token(200, httpx.Response(200, json=body).content)
    assert not is_bad_token(400, failure("bad_image", "no").model_dump_json().encode())
    assert not is_bad_token(401, failure("bad_key", "no").model_dump_json().encode())
    assert not is_bad_token(400, b"<html>")
