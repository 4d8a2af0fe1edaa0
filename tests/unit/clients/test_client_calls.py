"""What both clients send, and what they make of the answers."""

import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

import clients
from adapters.images.decode import decode_image
from clients.client import AsyncClient, Client
from clients.connection import connection
from clients.errors import (
    BadRequest,
    ServiceUnreachable,
    TaskNotFound,
    UnexpectedAnswer,
)
from clients.wire import BatchInfo
from serving.protocol import ErrorCode, Failure
from tests.unit.clients.fake_service import VERSION, FakeService, failure, over_http


def test_predict_sends_the_bytes_untouched_on_the_route_that_keeps_the_query(service, call):
    answer = call(service, "predict", b"\xff\xd8pixels", task="digits", top_k=2, version="3f2a")
    (request,) = service.requests
    assert request.method == "POST"
    assert request.url.path == "/spt/predict"
    assert dict(request.url.params) == {"task": "digits", "top_k": "2", "version": "3f2a"}
    assert request.headers["content-type"] == "application/octet-stream"
    assert request.content == b"\xff\xd8pixels"
    assert [p.label for p in answer.predictions] == ["zero", "one"]
    assert answer.version == VERSION


def test_the_feature_and_the_logits_are_asked_for_by_name(service, call):
    answer = call(service, "predict", b"x", task="digits", embed=True, logits=True)
    many = call(service, "predict_many", b"x", tasks=["digits", "shapes"], embed=True)
    one, other = (dict(request.url.params) for request in service.requests)
    assert one == {"task": "digits", "top_k": "5", "embed": "true", "logits": "true"}
    assert other == {"task": "digits,shapes", "top_k": "5", "embed": "true"}
    for found in (answer, *many.answers):
        assert clients.floats(found.embedding) == (1.0, -2.0)
    assert (clients.floats(answer.logits), answer.class_names) == ((1.0, -2.0), ("one", "another"))


def test_where_the_model_looks_is_asked_for_by_name_and_comes_as_rows_of_the_grid(service, call):
    answer = call(service, "predict", b"x", task="digits", attention=True)
    assert dict(service.requests[0].url.params) == {
        "task": "digits", "top_k": "5", "attention": "true",
    }  # fmt: skip
    assert answer.attention.array() == ((0.25, 0.75),)
    assert answer.attention.prompts == 0.5


def test_attention_of_another_size_than_its_grid_is_no_answer(service, call):
    attention = {"grid": [2, 2], "values": [0.5, 0.5], "prompts": 0, "resize": "squash", "crop": 1}
    body = service.entry("digits", 1).model_dump(mode="json") | {"attention": attention}
    service.reply = httpx.Response(200, json=body)
    with pytest.raises(UnexpectedAnswer, match="expected 2 x 2 values, found 2"):
        call(service, "predict", b"x", task="digits", attention=True)


@pytest.mark.parametrize("embedding", ["not base64", "AAA=", [1.0, None]])
def test_an_embedding_that_is_none_is_no_answer(service, call, embedding):
    body = service.entry("digits", 1).model_dump(mode="json") | {"embedding": embedding}
    service.reply = httpx.Response(200, json=body)
    with pytest.raises(UnexpectedAnswer, match="embedding"):
        call(service, "predict", b"x", task="digits", embed=True)


def test_without_a_version_the_current_one_is_asked(service, call):
    call(service, "predict", b"x", task="digits")
    assert dict(service.requests[0].url.params) == {"task": "digits", "top_k": "5"}


@pytest.mark.parametrize("as_type", [str, Path])
def test_a_path_is_read(service, call, tmp_path, as_type):
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    call(service, "predict", as_type(tmp_path / "cat.jpg"), task="digits")
    assert service.requests[0].content == b"cat"


def test_an_array_travels_as_a_ppm(service, call):
    pixels = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3)
    call(service, "predict", pixels.transpose(1, 0, 2), task="digits")
    sent = decode_image(service.requests[0].content)
    np.testing.assert_array_equal(np.asarray(sent), pixels.transpose(1, 0, 2))


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 2, 3), np.float32), np.zeros((4, 2), np.uint8), np.zeros((3, 4, 2), np.uint8), 7],
    ids=["float32", "grey", "channels_first", "number"],
)
def test_an_array_that_is_no_rgb_is_told_before_anything_is_sent(service, call, image):
    with pytest.raises(
        ValueError, match=r"expected bytes, a path, or an array of uint8 \[H, W, 3\]"
    ):
        call(service, "predict", image, task="digits")
    assert not service.requests


def test_a_missing_file_is_told_before_anything_is_sent(service, call, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.jpg"):
        call(service, "predict", tmp_path / "none.jpg", task="digits")
    assert not service.requests


def test_an_answer_names_the_forward_that_made_it(service, call):
    answer, batch = call(service, "predict_with_batch", b"x", task="shapes")
    assert answer.task == "shapes"
    assert batch == BatchInfo(id="b7", rows=8, tasks=3)


def test_an_answer_without_batch_headers_is_still_an_answer(service, call):
    service.reply = httpx.Response(200, content=service.entry("shapes", 1).model_dump_json())
    answer, batch = call(service, "predict_with_batch", b"x", task="shapes")
    assert answer.task == "shapes"
    assert batch is None


def test_several_tasks_travel_in_one_call_and_answer_in_order(service, call):
    many = call(service, "predict_many", b"x", tasks=["shapes", "pets", "digits"], top_k=1)
    assert len(service.requests) == 1
    assert service.requests[0].url.params["task"] == "shapes,pets,digits"
    shapes, pets, digits = many.answers
    assert (shapes.task, digits.task) == ("shapes", "digits")
    assert isinstance(pets, Failure)
    assert pets.error.code == ErrorCode.TASK_NOT_FOUND


def test_several_tasks_may_be_one(service, call):
    assert call(service, "predict_many", b"x", tasks=["digits"]).answers[0].task == "digits"


def test_no_task_answering_raises_the_first_failure(service, call):
    with pytest.raises(TaskNotFound, match="pets") as caught:
        call(service, "predict_many", b"x", tasks=["pets", "cars"])
    assert (caught.value.status, caught.value.task) == (404, "pets")


def test_a_refusal_carries_status_code_and_task(service, call):
    body = failure(ErrorCode.BAD_IMAGE, "not an image", "digits").model_dump_json()
    service.reply = httpx.Response(400, content=body)
    with pytest.raises(BadRequest, match="not an image") as caught:
        call(service, "predict", b"x", task="digits")
    error = caught.value
    assert (error.status, error.code, error.task) == (400, "bad_image", "digits")


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (httpx.ConnectError("Connection refused"), "Connection refused; is the service running"),
        (httpx.ReadTimeout(""), r"no answer in time \(ReadTimeout\)"),
        (httpx.RemoteProtocolError("server disconnected"), "server disconnected"),
    ],
)
def test_no_answer_is_service_unreachable(service, call, raised, text):
    service.reply = raised
    with pytest.raises(ServiceUnreachable, match=text) as caught:
        call(service, "predict", b"x", task="digits")
    assert "127.0.0.1:8080" in str(caught.value)
    assert caught.value.status is None


def test_nobody_listening_is_service_unreachable():
    with Client("http://127.0.0.1:1") as client, pytest.raises(ServiceUnreachable):
        client.predict(b"x", task="digits")


def test_an_answer_that_cannot_be_decoded_is_unexpected(service, call):
    service.reply = httpx.DecodingError("bad gzip")
    with pytest.raises(UnexpectedAnswer, match="bad gzip"):
        call(service, "predict", b"x", task="digits")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b'{"status": "Healthy"}',
        b'{"task": "digits", "version": "v1", "predictions": []}',
        b'{"task": "digits", "version": "%s", "predictions": [{"label": "a", "index": 0, '
        b'"score": 1.5}]}' % VERSION.encode(),
    ],
)
def test_a_body_that_is_not_the_protocol_is_unexpected(service, call, body):
    service.reply = httpx.Response(200, content=body)
    with pytest.raises(UnexpectedAnswer, match="expected Answer, found") as caught:
        call(service, "predict", b"x", task="digits")
    assert caught.value.status == 200


def test_the_answer_of_another_task_is_refused(service, call):
    service.reply = httpx.Response(200, content=service.entry("shapes", 1).model_dump_json())
    with pytest.raises(UnexpectedAnswer, match=r"\['digits'\], found \['shapes'\]"):
        call(service, "predict", b"x", task="digits")


def test_a_field_that_a_newer_service_added_is_ignored(service, call):
    body = service.entry("digits", 1).model_dump() | {"latency_ms": 3}
    service.reply = httpx.Response(200, json=body)
    assert call(service, "predict", b"x", task="digits").task == "digits"


@pytest.mark.parametrize("tasks", ["digits", [], [""], ["digits,shapes"]])
def test_tasks_that_make_no_call_are_refused_here(service, call, tasks):
    with pytest.raises(ValueError, match="task"):
        call(service, "predict_many", b"x", tasks=tasks)
    assert not service.requests


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://host", "", "http://h:port", "localhost"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_address_must_be_http(kind, url):
    with pytest.raises(ValueError, match="address"):
        kind(url)


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("spt.localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("0.0.0.0", True),
        ("127.1", True),
        ("2130706433", True),
        ("ip6-localhost", True),
        ("localhost.localdomain", True),
        ("10.0.0.1", False),
        ("vision.example", False),
        ("localhost.example", False),
    ],
)
def test_a_proxy_is_asked_for_other_machines_alone(host, is_ours):
    assert connection(f"http://{host}:8080", 1.0)["trust_env"] is not is_ours


def test_the_same_call_over_a_real_socket():
    service = FakeService()
    with over_http(service) as url, Client(url) as client:
        assert client.predict(b"\x00\xff" * 5000, task="digits").task == "digits"
    assert service.requests[0].content == b"\x00\xff" * 5000


def test_clients_load_nothing_heavy():
    heavy = {"torch", "redis", "adapters", "trainer", "numpy"}
    code = (
        "import sys, clients.client, clients.load.closed, clients.load.mix, clients.readiness;"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    root = Path(clients.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTP_PROXY", "foo://bar"),
        ("HTTPS_PROXY", ":::"),
        ("NO_PROXY", "[::1"),
    ],
)
def test_a_proxy_that_is_none_is_an_error_that_names_the_variables(kind, name, value, monkeypatch):
    for variable in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"proxy that the environment names .*HTTP_PROXY"):
        kind("http://service.example")
    kind("http://127.0.0.1:8080")  # loopback asks no proxy
