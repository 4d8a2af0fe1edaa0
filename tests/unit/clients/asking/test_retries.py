"""Who is asked again, when, and for how long."""

import asyncio
import time

import httpx
import pytest

from clients.asking.retries import MOST_S, Retries, may_pass
from clients.errors import ClientError, from_response
from serving.protocol import HTTP_STATUS, ErrorCode
from tests.unit.clients.fake_service import failure


def error_of(code, *, retry_after_s=None) -> ClientError:
    body = failure(code, "no", retry_after_s=retry_after_s).model_dump_json().encode()
    return from_response(HTTP_STATUS[code], body)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def retries(most=3, deadline_s=60.0, draw=1.0, **more) -> tuple[Retries, Clock]:
    clock = Clock()
    return Retries(most, deadline_s, clock=clock, draw=lambda: draw, **more), clock


PASSING = {
    ErrorCode.NOT_READY,
    ErrorCode.OUT_OF_MEMORY,
    ErrorCode.STORE_UNAVAILABLE,
    ErrorCode.RATE_LIMITED,
    ErrorCode.BODY_TOO_SLOW,
    ErrorCode.INTERNAL,
}


@pytest.mark.parametrize("code", ErrorCode)
def test_only_what_may_pass_is_asked_again(code):
    assert may_pass(error_of(code)) == (code in PASSING)
    assert (retries()[0].wait_s(error_of(code)) is not None) == (code in PASSING)


@pytest.mark.parametrize(("status", "is_passing"), [(500, True), (502, True), (404, False)])
def test_a_page_of_somebody_else_passes_if_it_is_a_fault(status, is_passing):
    assert may_pass(from_response(status, b"<html>")) == is_passing


def test_waits_double_at_random_up_to_a_bound():
    found, _ = retries(most=8)
    waits = [found.wait_s(error_of(ErrorCode.NOT_READY)) for _ in range(8)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, MOST_S, MOST_S]
    assert found.wait_s(error_of(ErrorCode.NOT_READY)) is None
    assert retries(draw=0.0)[0].wait_s(error_of(ErrorCode.NOT_READY)) == 0.05


def test_nobody_comes_back_before_the_service_says_so():
    asked = error_of(ErrorCode.RATE_LIMITED, retry_after_s=7.0)
    assert retries(draw=0.0)[0].wait_s(asked) == 7.0
    assert retries(draw=1.0)[0].wait_s(asked) == 7.1


def test_nobody_waits_beyond_the_deadline():
    found, clock = retries(deadline_s=10.0)
    assert found.wait_s(error_of(ErrorCode.RATE_LIMITED, retry_after_s=11.0)) is None
    clock.now = 9.95
    assert found.left_s == pytest.approx(0.05)
    assert found.wait_s(error_of(ErrorCode.NOT_READY)) is None
    clock.now = 11.0
    assert found.left_s == 0.0


def test_where_refusals_are_free_only_others_count():
    refused = ClientError("no")
    refused.__cause__ = httpx.ConnectError("no")
    refused.retryable = True  # type: ignore[misc]
    free, _ = retries(most=1, are_refusals_free=True)
    assert all(free.wait_s(refused) for _ in range(5))
    assert free.wait_s(error_of(ErrorCode.NOT_READY))
    assert free.wait_s(error_of(ErrorCode.NOT_READY)) is None
    assert free.wait_s(refused)
    counted, _ = retries(most=1)
    assert [counted.wait_s(refused) is None for _ in range(2)] == [False, True]


@pytest.fixture
def slept(monkeypatch):
    """Nobody sleeps; for how long they would have."""
    found = []

    async def sleep(seconds):
        found.append(seconds)

    monkeypatch.setattr(time, "sleep", found.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return found


@pytest.fixture
def failing_twice(service):
    """Fails twice with what `service.replies` holds, and then answers."""
    service.replies = []
    handle = service.handle

    def answer(request):
        service.reply = service.replies.pop(0) if service.replies else None
        return handle(request)

    service.handle = answer
    return service


def reply(code, **headers):
    return httpx.Response(
        HTTP_STATUS[code], content=failure(code, "no").model_dump_json(), headers=headers
    )


def test_a_call_that_may_pass_is_sent_again_as_it_was(failing_twice, call, slept):
    failing_twice.replies = [httpx.ReadError("reset"), reply(ErrorCode.NOT_READY)]
    answer = call(failing_twice, "predict", b"x", task="digits", with_={"retries": 3})
    assert answer.top.label == "zero"
    first, second, third = failing_twice.requests
    assert (first.url, first.content) == (second.url, second.content) == (third.url, third.content)
    assert 0.05 <= slept[0] <= 0.1 <= slept[1] <= 0.2


def test_the_header_is_honoured(failing_twice, call, slept):
    failing_twice.replies = [reply(ErrorCode.NOT_READY, **{"Retry-After": "3"})]
    call(failing_twice, "predict", b"x", task="digits", with_={"retries": 3})
    assert 3.0 <= slept[0] <= 3.1


def test_what_never_passes_is_asked_once(failing_twice, call, slept):
    failing_twice.replies = [reply(ErrorCode.BAD_IMAGE)]
    with pytest.raises(ClientError, match="no"):
        call(failing_twice, "predict", b"x", task="digits", with_={"retries": 3})
    assert (len(failing_twice.requests), slept) == (1, [])


def test_an_attempt_waits_no_longer_than_its_call_may_take(service, call):
    call(service, "predict", b"x", task="digits", with_={"deadline_s": 2.0, "timeout_s": 9.0})
    call(service, "predict", b"x", task="digits", with_={"deadline_s": 9.0, "timeout_s": 2.0})
    for request in service.requests:
        assert {1 < seconds <= 2.0 for seconds in request.extensions["timeout"].values()} == {True}


@pytest.mark.parametrize("wrong", [{"retries": -1}, {"deadline_s": 0.0}])
def test_numbers_that_make_no_sense_are_refused(service, call, wrong):
    with pytest.raises(ValueError, match="retries or more"):
        call(service, "predict", b"x", task="digits", with_=wrong)
