"""What a caller shows, and what happens when a token runs out."""

import asyncio
import json

import httpx
import pytest

from clients.client import AsyncClient, Client
from clients.credentials import Credentials, read_token
from clients.errors import BadKey, BadRequest, RateLimited
from serving.protocol import Answer, ErrorCode
from tests.unit.clients.fake_service import FakeService, failure

TORCHSERVE = {"code": 400, "type": "InvalidKeyException", "message": "Token Authorization failed."}
REFUSALS = {
    "torchserve": httpx.Response(400, json=TORCHSERVE),
    "asgi": httpx.Response(
        401,
        json=failure("bad_token", "expected the service's token, found another one").model_dump(),
    ),
}


class GuardedService(FakeService):
    """Answers whoever shows the token that is good now; remembers what was shown."""

    good = "first"

    def __init__(self, refusal: httpx.Response) -> None:
        super().__init__()
        self.refusal = refusal
        self.shown: list[str] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.shown.append(request.headers["Authorization"])
        if request.headers.get("Authorization") == f"Bearer {self.good}":
            return super().handle(request)
        self.requests.append(request)
        return httpx.Response(self.refusal.status_code, content=self.refusal.content)


@pytest.fixture(params=REFUSALS.values(), ids=REFUSALS.keys())
def guarded(request):
    return GuardedService(request.param)


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


def test_without_credentials_none_are_shown(service, call):
    call(service, "predict", b"x", task="digits")
    assert not {"x-api-key", "authorization"} & set(service.requests[0].headers)


def test_a_key_and_a_token_travel_in_headers_and_the_key_as_torchserve_looks_it_up(service, call):
    call(service, "predict", b"x", task="digits", with_={"api_key": "k-1", "token": "t-1"})
    (request,) = service.requests
    assert (b"X-Api-Key", b"k-1") in request.headers.raw
    assert request.headers["Authorization"] == "Bearer t-1"
    assert "k-1" not in str(request.url)


def test_a_token_file_is_read_again_when_the_token_has_run_out(guarded, token_file):
    with Client(transport=guarded.transport(), token_file=token_file) as client:
        client.predict(b"x", task="digits")
        guarded.good = "second"
        token_file.write_text("second")
        assert client.predict(b"pixels", task="digits").task == "digits"
        assert client.predict(b"x", task="digits").task == "digits"
    assert guarded.shown == ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]
    assert guarded.requests[2].content == b"pixels"


def test_a_rotation_cuts_no_asynchronous_traffic_either(guarded, token_file):
    async def ask() -> None:
        async with AsyncClient(transport=guarded.transport(), token_file=token_file) as client:
            for name in ("first", "second", "third"):
                guarded.good = name
                token_file.write_text(name)
                assert (await client.predict(b"x", task="digits")).task == "digits"

    asyncio.run(ask())
    assert len(guarded.requests) == 5


def test_a_refusal_that_comes_after_another_call_has_read_the_new_token_is_no_failure(
    guarded, token_file
):
    async def by_body(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.1 if request.content == b"slow" else 0)
        return guarded.handle(request)

    async def ask() -> None:
        transport = httpx.MockTransport(by_body)
        async with AsyncClient(transport=transport, token_file=token_file) as client:
            guarded.good = "second"
            token_file.write_text("second")
            calls = (client.predict(body, task="digits") for body in (b"slow", b"quick"))
            assert [answer.task for answer in await asyncio.gather(*calls)] == ["digits"] * 2

    asyncio.run(ask())
    assert sorted(guarded.shown) == ["Bearer first"] * 2 + ["Bearer second"] * 2


@pytest.mark.parametrize("is_async", [False, True])
def test_a_token_that_is_replaced_twice_in_one_call_is_read_twice(guarded, token_file, is_async):
    replacements = iter(["second", "third"])

    def replaced_meanwhile(request: httpx.Request) -> httpx.Response:
        if (name := next(replacements, None)) is not None:
            guarded.good = name
            token_file.write_text(name)
        return guarded.handle(request)

    transport = httpx.MockTransport(replaced_meanwhile)

    async def ask() -> Answer:
        async with AsyncClient(transport=transport, token_file=token_file) as client:
            return await client.predict(b"x", task="digits")

    if is_async:
        answer = asyncio.run(ask())
    else:
        with Client(transport=transport, token_file=token_file) as client:
            answer = client.predict(b"x", task="digits")
    assert answer.task == "digits"
    assert guarded.shown == ["Bearer first", "Bearer second", "Bearer third"]


def test_a_token_that_nobody_replaced_is_shown_once_and_told(guarded, token_file, call):
    guarded.good = "second"
    with pytest.raises(BadKey, match="token"):
        call(guarded, "predict", b"x", task="digits", with_={"token_file": token_file})
    assert len(guarded.requests) == 1


def test_a_new_token_that_is_refused_too_is_told_and_not_tried_for_ever(guarded, token_file):
    with Client(transport=guarded.transport(), token_file=token_file) as client:
        guarded.good = "third"
        token_file.write_text("second")
        with pytest.raises(BadKey):
            client.predict(b"x", task="digits")
    assert len(guarded.requests) == 2


def test_a_token_without_a_file_is_never_asked_for_again(guarded, call):
    with pytest.raises(BadKey):
        call(guarded, "predict", b"x", task="digits", with_={"token": "old"})
    assert len(guarded.requests) == 1


def test_a_bad_request_is_no_reason_to_read_the_file(service, token_file, call):
    body = failure(ErrorCode.BAD_IMAGE, "not an image").model_dump_json()
    service.reply = httpx.Response(400, content=body)
    with pytest.raises(BadRequest, match="not an image"):
        call(service, "predict", b"x", task="digits", with_={"token_file": token_file})
    assert len(service.requests) == 1


def test_a_limit_says_after_how_many_seconds_to_ask_again(service, call):
    body = failure(ErrorCode.RATE_LIMITED, "no more").model_dump_json()
    service.reply = httpx.Response(429, content=body, headers={"Retry-After": "3"})
    with pytest.raises(RateLimited) as caught:
        call(service, "predict", b"x", task="digits")
    assert (caught.value.retryable, caught.value.retry_after_s) == (True, 3.0)


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1.5", "", "9" * 400, "٣"])
def test_a_retry_after_that_is_no_number_of_seconds_is_ignored(service, call, text):
    headers = {"Retry-After": text.encode()}
    service.reply = httpx.Response(503, content=b"proxy", headers=headers)
    with pytest.raises(Exception, match="proxy") as caught:
        call(service, "predict", b"x", task="digits")
    assert caught.value.retry_after_s is None


def test_torchserves_own_file_holds_the_inference_token(tmp_path):
    keys = {name: {"key": f"{name}-1"} for name in ("management", "inference", "API")}
    path = tmp_path / "key_file.json"
    path.write_text(json.dumps(keys))
    assert read_token(path) == "inference-1"


@pytest.mark.parametrize("text", ["", "\n", "{}", '{"inference": {"key": 5}}', "{", "two words"])
def test_a_file_without_a_token_is_refused_by_its_name(tmp_path, text):
    (tmp_path / "token").write_text(text)
    with pytest.raises(ValueError, match="token"):
        Client(token_file=tmp_path / "token")


def test_a_missing_file_is_told_at_once(tmp_path):
    with pytest.raises(FileNotFoundError):
        Client(token_file=tmp_path / "none")


def test_a_token_and_a_file_are_one_too_many(token_file):
    with pytest.raises(ValueError, match="found both"):
        Credentials(token="t", token_file=token_file)


@pytest.mark.parametrize("secret", ["", "a b", "a\r\nX-Task: evil", "schlüssel", "a\0"])
@pytest.mark.parametrize("name", ["api_key", "token"])
def test_a_secret_that_no_header_can_hold_is_refused_and_not_repeated(name, secret):
    with pytest.raises(ValueError, match=f"{name}: expected printable ASCII") as caught:
        Credentials(**{name: secret})
    assert secret == "" or secret not in str(caught.value)
