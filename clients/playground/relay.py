"""The service's routes that the page needs, asked with credentials that the page never sees."""

import time
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import RootModel, ValidationError

from clients.connection import blocking_http, transport_errors
from clients.credentials import Credentials
from clients.errors import BadKey, ClientError, NotReady, RateLimited, ServiceUnreachable
from clients.playground.messages import Refused, Reply, only
from clients.wire import parse_body, path_of
from serving.protocol import (
    AFTER_PARAMETER,
    LIMIT_PARAMETER,
    LIST_PARAMETER,
    LIST_TASKS,
    TASK_PARAMETER,
    TOP_K_PARAMETER,
    VERSION_PARAMETER,
    MultiAnswer,
)

TIME_HEADER: Final = "X-Service-Ms"
"""For how long the service had the request, in milliseconds."""

_OF_ANSWERS: Final = frozenset({TASK_PARAMETER, TOP_K_PARAMETER, VERSION_PARAMETER, "attention"})
_OF_LISTS: Final = frozenset({TASK_PARAMETER, AFTER_PARAMETER, LIMIT_PARAMETER, "samples", "card"})
_TIMEOUT_S: Final = 60.0
_CODES: Final = (
    (ServiceUnreachable, "service_away"),
    (BadKey, "bad_token"),
    (NotReady, "not_ready"),
    (RateLimited, "rate_limited"),
)


class _Document(RootModel[dict[str, Any]]):
    """Any object: what a newer service says goes to the page as it is."""


class Relay:
    """Asks one service; safe for many threads.

    Args:
        url: the service's address.
        model: its name in the service, the first part of the route.
        api_key: a tenant's key, where the service has tenants.
        token_file: holds the service's token.
        transport: stands in for the network, in tests.

    Raises:
        ValueError: the address, the key or the file's token is none.
        OSError: the file cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        api_key: str | None = None,
        token_file: str | Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        credentials = Credentials(api_key=api_key, token_file=token_file)
        self._http = blocking_http(url, _TIMEOUT_S, auth=credentials, transport=transport)
        self._path = path_of(model)
        self.url = url

    def predict(self, query: dict[str, str], image: bytes) -> Reply:
        """Return what one task or several say of an image.

        Raises:
            Refused: the service did, or it does not answer.
        """
        return self._ask("POST", only(query, _OF_ANSWERS), image)

    def tasks(self, query: dict[str, str]) -> Reply:
        """Return a page of the tasks, or all about one.

        Raises:
            Refused: the service did, or it does not answer.
        """
        return self._ask("GET", {LIST_PARAMETER: LIST_TASKS, **only(query, _OF_LISTS)})

    def close(self) -> None:
        """Let its connections go."""
        self._http.close()

    def _ask(self, method: str, params: dict[str, str], image: bytes | None = None) -> Reply:
        began = time.perf_counter()
        try:
            with transport_errors(self.url):
                response = self._http.request(method, self._path, params=params, content=image)
            took = {TIME_HEADER: f"{1000 * (time.perf_counter() - began):.1f}"}
            if not _is_of_many(response):
                parse_body(response, _Document)
        except ClientError as error:
            raise _refused(error) from error
        return Reply(200, response.content, headers=took)


def _is_of_many(response: httpx.Response) -> bool:
    """Return whether each task has its own word in a body, whatever the status of the whole is."""
    try:
        MultiAnswer.model_validate_json(response.content)
    except ValidationError:
        return False
    return True


def _refused(error: ClientError) -> Refused:
    """Return an error in the form of the service's refusals; every one has a code."""
    of_kind = next((code for kind, code in _CODES if isinstance(error, kind)), "unexpected_answer")
    status = error.status if error.status is not None and error.status >= 400 else 502
    more = {"task": error.task, "retry_after_s": error.retry_after_s}
    known = {name: value for name, value in more.items() if value is not None}
    return Refused(status, error.code or of_kind, str(error), **known)
