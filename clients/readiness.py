"""Whether the service can answer now. TorchServe's /ping says yes while its workers are dead."""

from pathlib import Path
from typing import Final

import httpx
from pydantic import BaseModel, RootModel

from clients.connection import blocking_http, transport_errors
from clients.credentials import Credentials
from clients.defaults import DEFAULT_MODEL
from clients.errors import ServiceUnreachable
from clients.wire import parse_body

DEFAULT_MANAGEMENT_URL: Final = "http://127.0.0.1:8081"


class _Worker(BaseModel):
    status: str


class _Model(BaseModel):
    workers: tuple[_Worker, ...]


class _Models(RootModel[tuple[_Model, ...]]):
    """TorchServe's description of a model: one entry per version."""


def is_ready(
    management_url: str = DEFAULT_MANAGEMENT_URL,
    *,
    model: str = DEFAULT_MODEL,
    url: str | None = None,
    token_file: str | Path | None = None,
    timeout_s: float = 5.0,
    transport: httpx.BaseTransport | None = None,
) -> bool:
    """Return whether some worker of `model` is READY; no while nothing listens there yet.

    Args:
        management_url: of TorchServe's management API.
        model: the model's name in the service.
        url: of the service itself, to be told no as soon as it is being stopped: its worker is
            READY to the end, but its port refuses newcomers before.
        token_file: holds the token of the management API, where it wants one.
        timeout_s: longest wait for each of the two.
        transport: stands in for the network, in tests.

    Raises:
        ClientError: something else answers there, or it refuses to tell.
        OSError: `token_file` cannot be read.
        ValueError: an address is not one, or the file holds no token.
    """
    try:
        if url is not None:
            _get(url, "/ping", None, timeout_s, transport)
        credentials = Credentials(token_file=token_file)
        response = _get(management_url, f"/models/{model}", credentials, timeout_s, transport)
    except ServiceUnreachable:
        return False
    if response.status_code == httpx.codes.NOT_FOUND or response.is_server_error:
        return False
    models = parse_body(response, _Models).root
    return any(worker.status == "READY" for entry in models for worker in entry.workers)


def _get(
    url: str,
    path: str,
    credentials: Credentials | None,
    timeout_s: float,
    transport: httpx.BaseTransport | None,
) -> httpx.Response:
    with (
        blocking_http(url, timeout_s, auth=credentials, transport=transport) as http,
        transport_errors(url),
    ):
        return http.get(path)
