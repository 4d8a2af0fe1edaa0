"""A service that fails at random, in every way that may pass, and restarts once."""

import random
import time
from collections.abc import Callable

import httpx

from serving.protocol import Answer, ErrorCode, LabelScore
from tests.unit.clients.fake_service import VERSION, failure


def not_ready() -> httpx.Response:
    return refused(503, ErrorCode.NOT_READY)


def refused(status: int, code: str) -> httpx.Response:
    body = failure(code, "not now", retry_after_s=0.01 if status == 429 else None)
    return httpx.Response(status, content=body.model_dump_json())


def hung_up() -> httpx.Response:
    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")


FAULTS: tuple[Callable[[], httpx.Response], ...] = (
    not_ready,
    lambda: refused(429, ErrorCode.RATE_LIMITED),
    lambda: refused(500, ErrorCode.INTERNAL),
    lambda: httpx.Response(502, content=b"<html>a gateway's page</html>"),
    hung_up,
)


class FlakyService:
    """Answers with the body as the label; fails `share` of the requests.

    Args:
        share: of the requests that fail, at random.
        restarts_at: after so many requests nobody listens for `away_s`.
        away_s: seconds, and as long again it is not ready.
    """

    def __init__(self, share: float, restarts_at: int, away_s: float = 0.1) -> None:
        self._share = share
        self._restarts_at = restarts_at
        self._away_s = away_s
        self._away_from = float("inf")
        self._rng = random.Random(7)
        self.num_asked = self.num_failed = 0

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.num_asked += 1
        now = time.monotonic()
        if self.num_asked == self._restarts_at:
            self._away_from = now
        if now >= self._away_from:
            if now < self._away_from + self._away_s:
                raise httpx.ConnectError("Connection refused")
            if now < self._away_from + 2 * self._away_s:
                return not_ready()
        if self._rng.random() < self._share:
            self.num_failed += 1
            return self._rng.choice(FAULTS)()
        label = LabelScore(label=request.content.decode(), index=0, score=1.0)
        task = request.url.params["task"]
        answer = Answer(task=task, version=VERSION, predictions=(label,))
        return httpx.Response(200, content=answer.model_dump_json())

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)
