"""Whether the service can answer now. TorchServe's /ping says yes while its workers are dead."""

from typing import Final

import httpx
from pydantic import BaseModel, RootModel

from clients.client import DEFAULT_MODEL
from clients.connection import connection, transport_errors
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
    timeout_s: float = 5.0,
    transport: httpx.BaseTransport | None = None,
) -> bool:
    """Return whether some worker of `model` is READY; no while nothing listens there yet.

    Raises:
        ClientError: something else answers there, or it refuses to tell.
        ValueError: `management_url` is not an address.
    """
    with httpx.Client(transport=transport, **connection(management_url, timeout_s)) as http:
        try:
            with transport_errors(management_url):
                response = http.get(f"/models/{model}")
        except ServiceUnreachable:
            return False
    if response.status_code == httpx.codes.NOT_FOUND or response.is_server_error:
        return False
    models = parse_body(response, _Models).root
    return any(worker.status == "READY" for entry in models for worker in entry.workers)
