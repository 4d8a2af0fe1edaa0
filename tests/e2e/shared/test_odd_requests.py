"""What TorchServe makes of odd requests before our handler sees them, known of it by name."""

import socket
from urllib.parse import urlsplit

import pytest

from adapters.artifact.preprocessing import ImageLimits
from clients.client import Client
from clients.errors import ImageTooLarge, from_response
from clients.load.closed import Ask
from serving.protocol import Answer
from tests.e2e.service import IMAGES, TASKS, Service
from tests.fakes.waiting import wait_until

ROUTE = "/spt/predict"


def refused(service: Service, **call: object) -> int:
    """Return the status of a call that TorchServe itself may refuse."""
    with service.plain_http() as http:
        return http.post(ROUTE, **call).status_code


def test_what_torchserve_refuses_before_our_handler_is_4xx_too(service: Service) -> None:
    assert 400 <= refused(service, params={"task": "a" * 20_000}, content=IMAGES[0]) < 500
    assert refused(service, content=IMAGES[0], headers={"X-Junk": "x" * 20_000}) in range(400, 500)


def test_a_body_beyond_the_limit_is_413(service: Service) -> None:
    data = IMAGES[0] + bytes(ImageLimits().max_bytes)
    with service.client() as client, pytest.raises(ImageTooLarge):
        client.predict(data, task=TASKS[0])


@pytest.mark.parametrize(
    "said",
    [
        {"params": {"task": list(TASKS[:2])}, "content": IMAGES[0]},
        {"params": {"task": TASKS[0], "top_k": [1, 2]}, "content": IMAGES[0]},
        {"params": {"task": TASKS[0]}, "files": [("data", IMAGES[0]), ("data", IMAGES[1])]},
        {"params": {"task": TASKS[0]}, "content": IMAGES[0], "headers": {"X-Task": TASKS[1]}},
    ],
    ids=["two tasks", "two top_k", "two images", "another task in the header"],
)
def test_what_a_call_says_twice_is_refused_and_never_half_answered(
    service: Service, said: dict[str, object]
) -> None:
    assert refused(service, **said) == 400


def test_a_body_without_a_content_type_is_answered(service: Service) -> None:
    with service.plain_http() as http:
        response = http.post(ROUTE, params={"task": TASKS[0]}, content=IMAGES[0])
    assert response.status_code == 200


def test_the_plain_predictions_route_takes_the_task_in_its_header(service: Service) -> None:
    with service.plain_http() as http:
        responses = [
            http.post("/predictions/spt", content=IMAGES[0], headers={"X-Task": TASKS[1]}),
            http.post("/predictions/spt", files={"data": IMAGES[0]}, data={"task": TASKS[1]}),
        ]
    for response in responses:
        assert response.status_code == 200, response.text
        service.assert_right(Ask(IMAGES[0], TASKS[1]), Answer.model_validate_json(response.content))


def raw_exchange(service: Service, request: bytes) -> bytes:
    """Send bytes as they are; return the beginning of the answer."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(request)
        return connection.recv(65536)


def test_a_header_that_is_not_text_does_not_end_the_worker(service: Service) -> None:
    body = IMAGES[0]
    head = f"POST {ROUTE}?task={TASKS[0]} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    worker = service.worker()
    answer = raw_exchange(service, head.encode() + b"X-Task: \xff\xfe\xfd\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 400")
    assert service.worker() == worker


def test_a_caller_who_leaves_half_way_harms_nobody(service: Service) -> None:
    head = f"POST {ROUTE}?task={TASKS[0]} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
    address = urlsplit(service.url)
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            connection.sendall(head.encode() + IMAGES[0][:100])
    with service.client() as client:
        assert_answers(service, client)


def assert_answers(service: Service, client: Client) -> None:
    for task in TASKS:
        service.assert_right(Ask(IMAGES[0], task), client.predict(IMAGES[0], task=task))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"a":'),
        ("application/json", b"\xff\xfe"),
        ("application/json", b'{"a": 1}'),
        ("text/plain", b"\xff\xfe\x00"),
        ("text/plain; charset=nonsense", b"a"),
        ("multipart/form-data", b"no boundary"),
        (";;;", b"x"),
    ],
)
def test_a_malformed_body_is_400_and_no_traceback(service: Service, kind: str, body: bytes) -> None:
    began = len(service.log.read_text())
    call = {"params": {"task": TASKS[0]}, "content": body, "headers": {"Content-Type": kind}}
    assert refused(service, **call) == 400
    said = service.log.read_text()[began:]
    assert "Traceback" not in said
    assert "\tat " not in said


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"a=%zz"),
        ("application/x-www-form-urlencoded", b"a=%zz\r\n2026 [ERROR] forged\n" * 1000),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nabc"),
    ],
)
def test_a_form_that_torchserve_cannot_read_is_one_short_line_in_the_log(
    service: Service, kind: str, body: bytes
) -> None:
    """Known of TorchServe: it takes forms apart before our handler sees them, and answers 500."""
    began = len(service.log.read_bytes())
    headers = {"Content-Type": kind}
    assert refused(service, params={"task": TASKS[0]}, content=body, headers=headers) == 500
    wait_until("it is logged", lambda: service.log.read_bytes()[began:].endswith(b"\n"))
    (line,) = service.log.read_bytes()[began:].splitlines()
    assert b"HttpRequestHandler - " in line
    assert len(line) < 500


def test_a_form_is_not_an_image_and_torchserve_says_so_itself(service: Service) -> None:
    """Known of TorchServe: it decodes forms before our handler sees them, and fails on its own."""
    with service.plain_http() as http:
        response = http.post(
            ROUTE,
            params={"task": TASKS[0]},
            content=IMAGES[0],
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    assert response.status_code == 500
    assert "TorchServe" in str(from_response(response.status_code, response.content))
