"""Everything a call can raise, as one tree. Knows statuses and bodies, not how they travelled.

ClientError
├── ServiceUnreachable  nothing answered: refused, reset, or too slow; worth trying again
├── NotReady            503: starting, overloaded, or its store is away; worth trying again
├── TaskNotFound        404: no adapter is published under this task id
├── VersionNotFound     404: the task exists, this version of it does not
├── BadRequest          400: a parameter, or the image, is not acceptable
├── ImageTooLarge       413: too many bytes or pixels
├── WrongBackbone       409: the adapter was made for another backbone
├── ServerFault         5xx: the service broke, the request may be fine
└── UnexpectedAnswer    something answered, but not in the protocol
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from serving.protocol import HTTP_STATUS, ErrorCode, Failure, MultiAnswer


class ClientError(Exception):
    """Root of every error a call raises on purpose.

    Attributes:
        status: the HTTP status, None if nothing answered.
        code: the service's `ErrorCode`, None if the answer did not come from our handler.
        task: the task that it is about, where known.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        task: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.task = task


class ServiceUnreachable(ClientError):
    """Nothing answered: refused, reset, or too slow."""


class NotReady(ClientError):
    """The service is starting, overloaded, or cannot reach its store; try again later."""


class TaskNotFound(ClientError):
    """No adapter is published under this task id."""


class VersionNotFound(ClientError):
    """The task exists, this version of it does not."""


class BadRequest(ClientError):
    """A parameter, or the image, is not acceptable."""


class ImageTooLarge(ClientError):
    """The image has more bytes or pixels than the service takes."""


class WrongBackbone(ClientError):
    """The task's adapter was made for another backbone than the one that serves."""


class ServerFault(ClientError):
    """The service broke; the request may be fine."""


class UnexpectedAnswer(ClientError):
    """Something answered, but not in the protocol."""


CLASS_OF: Final[Mapping[str, type[ClientError]]] = MappingProxyType(
    {
        ErrorCode.BAD_IMAGE: BadRequest,
        ErrorCode.IMAGE_TOO_LARGE: ImageTooLarge,
        ErrorCode.BAD_PARAMETER: BadRequest,
        ErrorCode.TASK_NOT_FOUND: TaskNotFound,
        ErrorCode.VERSION_NOT_FOUND: VersionNotFound,
        ErrorCode.WRONG_BACKBONE: WrongBackbone,
        ErrorCode.ADAPTER_DAMAGED: ServerFault,
        ErrorCode.STORE_UNAVAILABLE: NotReady,
        ErrorCode.NOT_READY: NotReady,
        ErrorCode.INTERNAL: ServerFault,
    }
)


class _TorchServeError(BaseModel):
    """The frontend's own error body, for what never reached our handler."""

    code: int
    type: str
    message: str


_ErrorAnswer: Final[TypeAdapter[Failure | MultiAnswer | _TorchServeError]] = TypeAdapter(
    Failure | MultiAnswer | _TorchServeError
)


def from_failure(failure: Failure, status: int | None = None) -> ClientError:
    """Return the exception for one entry of ours; its status defaults to the code's own."""
    error = failure.error
    if status is None:
        status = HTTP_STATUS.get(error.code, 500)
    kind = CLASS_OF.get(error.code) or _class_of_status(status)
    return kind(error.message, status=status, code=error.code, task=error.task)


def from_response(status: int, body: bytes) -> ClientError:
    """Return the exception for an answer whose HTTP status is not 200.

    Takes our `Failure`, a `MultiAnswer` (its first failure), TorchServe's own error body, and
    bodies that are none of these, such as its bare 413 or a proxy's page.
    """
    try:
        parsed = _ErrorAnswer.validate_json(body)
    except ValidationError:
        return _from_foreign_body(status, body)
    if isinstance(parsed, _TorchServeError):
        return _from_torchserve(status, parsed)
    entries = parsed.answers if isinstance(parsed, MultiAnswer) else (parsed,)
    failures = [entry for entry in entries if isinstance(entry, Failure)]
    return from_failure(failures[0], status) if failures else _from_foreign_body(status, body)


def _class_of_status(status: int) -> type[ClientError]:
    by_status = {400: BadRequest, 409: WrongBackbone, 413: ImageTooLarge, 503: NotReady}
    return by_status.get(status) or (ServerFault if status >= 500 else UnexpectedAnswer)


def _from_torchserve(status: int, error: _TorchServeError) -> ClientError:
    kind = _class_of_status(status)
    hint = ""
    if kind is NotReady and error.type == "InternalServerException":
        kind = ServerFault  # a handler that raised is reported as 503 too
    elif kind is NotReady:
        hint = "its queue is full or no worker is up; try again later: "
    elif kind is UnexpectedAnswer:
        hint = "check the address and the model's name: "
    return kind(f"TorchServe: {hint}{error.message} ({error.type}, {status})", status=status)


def _from_foreign_body(status: int, body: bytes) -> ClientError:
    kind = _class_of_status(status)
    if kind is ImageTooLarge and not body:
        text = "the request is larger than the service takes; send a smaller image"
    else:
        text = f"status {status} with a body that is not the protocol's: {body[:80]!r}"
    return kind(text, status=status)
