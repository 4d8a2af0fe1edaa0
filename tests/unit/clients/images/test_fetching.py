"""The client fetches what an address names, within bounds, and tells nobody its secrets."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from clients.errors import ImageNotFetched
from clients.images import fetching
from tests.fakes.listening import listening


@contextmanager
def host(seen: list[dict[str, str]]) -> Iterator[str]:
    """Serve an image, and what is none."""

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            turns = {"/moved": "/photo.jpg", "/circle": "/circle", "/away": "ftp://elsewhere/x"}
            status = 302 if self.path in turns else 404 if self.path == "/none" else 200
            body = b"x" * 5000 if self.path == "/large" else b"an image"
            self.send_response(status)
            if self.path in turns:
                self.send_header("Location", turns[self.path])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with listening(Host) as address:
        yield address


@pytest.fixture
def seen() -> list[dict[str, str]]:
    return []


@pytest.fixture
def address(seen, monkeypatch) -> Iterator[str]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # would be in vain
    with host(seen) as address:
        yield address


@pytest.mark.parametrize("path", ["/photo.jpg", "/moved"])
def test_an_image_is_fetched_past_every_proxy_and_without_our_secrets(
    service, call, address, seen, path
):
    secrets = {"token": "our-token", "api_key": "our-key"}
    answer = call(service, "predict", f"{address}{path}", task="digits", with_=secrets)
    assert answer.task == "digits"
    assert service.requests[0].content == b"an image"
    assert service.requests[0].headers["Authorization"] == "Bearer our-token"
    assert not {"authorization", "x-api-key"} & {name.lower() for one in seen for name in one}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/none", "found status 404"),
        ("/circle", "one redirect after the other"),
        ("/away", "is not an address"),
        ("/large", "of 1,000 bytes at most"),
    ],
)
def test_what_is_no_image_is_told_and_nothing_is_asked(
    service, call, address, monkeypatch, path, text
):
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    with pytest.raises(ImageNotFetched, match=text):
        call(service, "predict", f"{address}{path}", task="digits")
    assert not service.requests


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x.jpg", "http://", "http://h:port/x"])
def test_an_address_where_nobody_is_has_no_image(service, call, url):
    with pytest.raises(ImageNotFetched):
        call(service, "predict", url, task="digits")
