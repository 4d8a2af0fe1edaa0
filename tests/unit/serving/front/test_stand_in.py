"""Who asks while no process of the front can answer is told to ask again, and at once."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from serving.front.stand_in import StandIn


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as ear:
        yield ear


def ask(
    ear: socket.socket, method: str, path: str, body: bytes | None = None
) -> tuple[int, str | None, Any]:
    """Return an answer's status, when to ask again, and its JSON."""
    caller = http.client.HTTPConnection(*ear.getsockname(), timeout=60)
    caller.request(method, path, body)
    answer = caller.getresponse()
    found = json.loads(answer.read())
    caller.close()
    return answer.status, answer.getheader("Retry-After"), found


def test_callers_are_told_to_ask_again_until_others_answer(ear: socket.socket) -> None:
    stand_in = StandIn(ear)
    stand_in.begin()
    stand_in.begin()
    told = ask(ear, "POST", "/spt/predict?task=pets", bytes(2_000_000))
    assert (told[0], told[1]) == (503, "1")
    assert told[2]["error"]["code"] == "not_ready"
    plainly = ask(ear, "POST", "/v2/models/pets/infer", bytes(1_000))
    assert (plainly[0], plainly[1], type(plainly[2]["error"])) == (503, "1", str)
    for probe in ("/readyz", "/livez", "/v2/health/ready"):
        assert ask(ear, "GET", probe) == (503, None, {"ok": False, "reason": "it is being started"})
    stand_in.end()
    stand_in.end()
    with socket.create_connection(ear.getsockname()) as caller:
        ear.settimeout(60)
        heard, address = ear.accept()
        heard.close()
        assert address == caller.getsockname()
