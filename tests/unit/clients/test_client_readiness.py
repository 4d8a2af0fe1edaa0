"""Ready means that some worker says READY."""

import httpx
import pytest

from clients.errors import BadKey, UnexpectedAnswer
from clients.readiness import is_ready


def described(*statuses):
    workers = [{"id": str(i), "status": status} for i, status in enumerate(statuses)]
    return httpx.Response(200, json=[{"modelName": "spt", "workers": workers}])


def ask(service, reply):
    service.reply = reply
    return is_ready("http://127.0.0.1:8081", transport=service.transport())


@pytest.mark.parametrize(
    ("reply", "ready"),
    [
        (described("READY"), True),
        (described("UNLOADING", "READY"), True),
        (described("UNLOADING"), False),
        (described(), False),
        (httpx.Response(404, json={"code": 404, "type": "ModelNotFound", "message": "m"}), False),
        (httpx.Response(500), False),
        (httpx.ConnectError("refused"), False),
    ],
)
def test_ready_is_what_the_workers_say(service, reply, ready):
    assert ask(service, reply) is ready
    assert service.requests[0].method == "GET"
    assert service.requests[0].url.path == "/models/spt"


def test_something_else_listening_there_is_told(service):
    with pytest.raises(UnexpectedAnswer):
        ask(service, httpx.Response(200, content=b"hello"))


def test_a_missing_token_is_told(service):
    body = {"code": 400, "type": "InvalidKeyException", "message": "Token Authorization failed"}
    with pytest.raises(BadKey, match="Token"):
        ask(service, httpx.Response(400, json=body))


def test_a_port_that_refuses_callers_is_not_ready_however_well_its_worker_is():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.port == 8080:
            raise httpx.ConnectError("refused")
        return described("READY")

    transport = httpx.MockTransport(answer)
    assert is_ready("http://127.0.0.1:8081", transport=transport)
    assert not is_ready("http://127.0.0.1:8081", url="http://127.0.0.1:8080", transport=transport)


def test_the_management_token_is_read_from_its_file_and_shown_to_management_alone(
    tmp_path, service
):
    (tmp_path / "management.token").write_text("secret\n")
    service.reply = described("READY")
    assert is_ready(
        "http://127.0.0.1:8081",
        url="http://127.0.0.1:8080",
        token_file=tmp_path / "management.token",
        transport=service.transport(),
    )
    shown = {r.url.port: r.headers.get("Authorization") for r in service.requests}
    assert shown == {8080: None, 8081: "Bearer secret"}
