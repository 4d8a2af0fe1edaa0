"""Who asks while no process of the front can answer is told to ask again, and at once."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from serving.front.stand_in import StandIn


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as ear:
        yield ear


def test_callers_are_told_to_ask_again_until_others_answer(ear: socket.socket) -> None:
    url, stand_in = f"http://127.0.0.1:{ear.getsockname()[1]}", StandIn(ear)
    stand_in.begin()
    stand_in.begin()
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        told = client.post("/spt/predict?task=pets", content=bytes(2_000_000))
        probed = [client.get(path) for path in ("/readyz", "/livez")]
    assert (told.status_code, told.headers["retry-after"]) == (503, "1")
    assert told.json()["error"]["code"] == "not_ready"
    assert [one.status_code for one in probed] == [503, 503]
    assert probed[0].json() == {"ok": False, "reason": "it is being started"}
    stand_in.end()
    stand_in.end()
    with socket.create_connection(ear.getsockname()) as caller:
        ear.settimeout(60)
        heard, address = ear.accept()
        heard.close()
        assert address == caller.getsockname()
