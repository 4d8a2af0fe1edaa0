"""Everything a call can raise, as one tree. Knows statuses and bodies, not how they travelled.

ClientError
├── ServiceUnreachable  nothing answered: refused, reset, or too slow; retryable
├── NotReady            503, 507, a dead worker: starting, overloaded, its store is away; retryable
├── RateLimited         429: more than this key's holder may ask; retryable after a while
├── BadKey              401: the service wants a key or a token, and this one is not good
├── Forbidden           403: the key is good, and the task is not for its holder
├── BodyTooSlow         408: the image came too slowly for the service to wait; retryable
├── TaskNotFound        404: no adapter is published under this task id
├── VersionNotFound     404: the task exists, this version of it does not
├── BadRequest          400: a parameter, or the image, is not acceptable
├── ImageTooLarge       413: too many bytes or pixels
├── WrongBackbone       409: the adapter was made for another backbone
├── ServerFault         5xx: the service broke, the request may be fine
├── UnexpectedAnswer    something answered, but not in the protocol
└── ImageNotFetched     the image's own address, which the caller named, does not give it
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from serving.protocol import HTTP_STATUS, Answer, ErrorCode, Failure, ImagesAnswer, MultiAnswer


class ClientError(Exception):
    """Root of every error a call raises on purpose.

    Attributes:
        retryable: whether the same call may be answered a little later.
        status: the HTTP status, None if nothing answered.
        code: the service's `ErrorCode`, None if the answer did not come from our handler.
        task: the task that it is about, where known.
        retry_after_s: for how many seconds asking again is in vain, where the service says so.
        request_id: by which the service's log knows the call, where it was answered.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        task: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.task = task
        self.retry_after_s = retry_after_s
        self.request_id: str | None = None


class ServiceUnreachable(ClientError):
    """Nothing answered: refused, reset, or too slow.

    Cause: The service is not started, listens at another address, or a network or timeout cut
        it off.
    Cure: Check `--url`. On the machine of the service, `spt ready` says whether it takes
        callers.
    """

    retryable = True


class NotReady(ClientError):
    """The service is starting, overloaded, or lacks something it needs; try again later.

    Cause: It is still loading, is full, is being stopped, or its store or device is away.
    Cure: Ask again, as the client has done already. `wait_ready` waits until it answers.
    """

    retryable = True


class RateLimited(ClientError):
    """More than this key's holder may ask; try again after `retry_after_s`.

    Cause: The key's rate is used up.
    Cure: Wait for `retry_after_s`. A batch does so by itself.
    """

    retryable = True


class BadKey(ClientError):
    """The service wants a key or a token, and got none or one that is not good.

    Cause: No key or token is sent, or one that was replaced.
    Cure: Give `token_file`, or `api_key` where there are tenants.
    """


class Forbidden(ClientError):
    """The key is good, and the task is not for its holder, whether or not it exists.

    Cause: The key's holder may not ask this task.
    Cure: `client.tasks()` has those that may be asked.
    """


class BodyTooSlow(ClientError):
    """The image came too slowly for the service to wait for the rest.

    Cause: The connection is too slow for the image.
    Cure: Send a smaller image.
    """

    retryable = True


class TaskNotFound(ClientError):
    """No adapter is published under this task id.

    Cause: The name is misspelled, or nothing is published under it.
    Cure: `client.tasks()` has the names.
    """


class VersionNotFound(ClientError):
    """The task exists, this version of it does not.

    Cause: The version was deleted, or its first digits fit several.
    Cure: Leave `version` out for the current one, or give all its digits.
    """


class BadRequest(ClientError):
    """A parameter, or the image, is not acceptable.

    Cause: The image is of a format that is not taken, or a parameter is out of range.
    Cure: The message says which one, and what is expected.
    """


class ImageTooLarge(ClientError):
    """The image has more bytes or pixels than the service takes.

    Cause: It is above the service's limits.
    Cure: Make it smaller before it is sent.
    """


class WrongBackbone(ClientError):
    """The task's adapter was made for another backbone than the one that serves.

    Cause: It was trained on another backbone, or with another image size.
    Cure: Ask a service that has its backbone, or have the task trained again.
    """


class ServerFault(ClientError):
    """The service broke; the request may be fine.

    Cause: A fault of the service, or a damaged artifact.
    Cure: The service's log has the reason. Sending it again does not help as a rule.
    """

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} [request {self.request_id}]" if self.request_id else text


class UnexpectedAnswer(ClientError):
    """Something answered, but not in the protocol.

    Cause: Another program listens at this address, or a gateway answered in place of the
        service.
    Cure: Check the address and the port.
    """


class ImageNotFetched(ClientError):
    """The image's own address, which the caller named, does not give it; nothing was asked.

    Cause: The address of the image is wrong, its server refuses, or it has more than 20 MB.
    Cure: Open it in a browser, or give the image's bytes.
    """


CLASS_OF: Final[Mapping[str, type[ClientError]]] = MappingProxyType(
    {
        ErrorCode.BAD_IMAGE: BadRequest,
        ErrorCode.IMAGE_TOO_LARGE: ImageTooLarge,
        ErrorCode.BODY_TOO_SLOW: BodyTooSlow,
        ErrorCode.BAD_PARAMETER: BadRequest,
        ErrorCode.BAD_KEY: BadKey,
        ErrorCode.BAD_TOKEN: BadKey,
        ErrorCode.FORBIDDEN: Forbidden,
        ErrorCode.RATE_LIMITED: RateLimited,
        ErrorCode.TASK_NOT_FOUND: TaskNotFound,
        ErrorCode.VERSION_NOT_FOUND: VersionNotFound,
        ErrorCode.WRONG_BACKBONE: WrongBackbone,
        ErrorCode.ADAPTER_DAMAGED: ServerFault,
        ErrorCode.ADAPTER_NOT_TRUSTED: ServerFault,
        ErrorCode.STORE_UNAVAILABLE: NotReady,
        ErrorCode.NOT_READY: NotReady,
        ErrorCode.OUT_OF_MEMORY: NotReady,
        ErrorCode.INTERNAL: ServerFault,
    }
)


class _TorchServeError(BaseModel):
    """The frontend's own error body, for what never reached our handler."""

    code: int
    type: str
    message: str


_BAD_TOKEN: Final = "InvalidKeyException"
_WORKER_DIED: Final = "Worker died"

_LATER: Final = ConfigDict(defer_build=True)
"""Whoever imports us may never meet an error."""

_ErrorAnswer: Final[TypeAdapter[Failure | MultiAnswer | ImagesAnswer | _TorchServeError]] = (
    TypeAdapter(Failure | MultiAnswer | ImagesAnswer | _TorchServeError, config=_LATER)
)
_Refusal: Final[TypeAdapter[Failure | _TorchServeError]] = TypeAdapter(
    Failure | _TorchServeError, config=_LATER
)

_CLASS_OF_STATUS: Final[Mapping[int, type[ClientError]]] = MappingProxyType(
    {
        400: BadRequest,
        401: BadKey,
        403: Forbidden,
        409: WrongBackbone,
        413: ImageTooLarge,
        429: RateLimited,
        503: NotReady,
    }
)


def from_failure(
    failure: Failure, status: int | None = None, *, retry_after_s: float | None = None
) -> ClientError:
    """Return the exception for one entry of ours.

    Args:
        failure: what the service says of one task or of the whole call.
        status: of the answer; the code's own unless given.
        retry_after_s: of the answer; what the failure says of it goes before.
    """
    error = failure.error
    if status is None:
        status = HTTP_STATUS.get(error.code, 500)
    if error.retry_after_s is not None:
        retry_after_s = error.retry_after_s
    kind = CLASS_OF.get(error.code) or _class_of_status(status)
    return kind(
        error.message,
        status=status,
        code=error.code,
        task=error.task,
        retry_after_s=retry_after_s,
    )


def from_response(status: int, body: bytes, *, retry_after_s: float | None = None) -> ClientError:
    """Return the exception for an answer whose HTTP status is not 200.

    Takes our `Failure`, a `MultiAnswer` or `ImagesAnswer` (its first failure), TorchServe's own
    error body, and bodies that are none of these, such as its bare 413 or a proxy's page.
    """
    try:
        parsed = _ErrorAnswer.validate_json(body)
    except ValidationError:
        return _from_foreign_body(status, body, retry_after_s)
    if isinstance(parsed, _TorchServeError):
        return _from_torchserve(status, parsed)
    failures = [entry for entry in _entries(parsed) if isinstance(entry, Failure)]
    if not failures:
        return _from_foreign_body(status, body, retry_after_s)
    return from_failure(failures[0], status, retry_after_s=retry_after_s)


def _entries(
    body: Answer | Failure | MultiAnswer | ImagesAnswer,
) -> Iterator[Answer | Failure]:
    """Yield a body's entries in their order."""
    if isinstance(body, ImagesAnswer):
        for result in body.results:
            yield from _entries(result)
    elif isinstance(body, MultiAnswer):
        yield from body.answers
    else:
        yield body


def is_bad_token(status: int, body: bytes) -> bool:
    """Return whether the service has refused the call's token; TorchServe does so with 400."""
    if status not in {400, 401}:
        return False
    try:
        refused = _Refusal.validate_json(body)
    except ValidationError:
        return False
    if isinstance(refused, Failure):
        return refused.error.code == ErrorCode.BAD_TOKEN
    return refused.type == _BAD_TOKEN


def _class_of_status(status: int) -> type[ClientError]:
    return _CLASS_OF_STATUS.get(status) or (ServerFault if status >= 500 else UnexpectedAnswer)


def _from_torchserve(status: int, error: _TorchServeError) -> ClientError:
    kind, hint = _class_of_status(status), ""
    if error.type == _BAD_TOKEN:
        kind, hint = BadKey, "the call has no token, or one that has expired: "
    elif error.message.startswith(_WORKER_DIED):
        kind, hint = NotReady, "it is being started again; try again later: "
    elif kind is NotReady and error.type == "InternalServerException":
        kind = ServerFault  # a handler that raised is reported as 503 too
    elif kind is NotReady:
        hint = "its queue is full or no worker is up; try again later: "
    elif kind is UnexpectedAnswer:
        hint = "check the address and the model's name: "
    return kind(f"TorchServe: {hint}{error.message} ({error.type}, {status})", status=status)


def _from_foreign_body(status: int, body: bytes, retry_after_s: float | None) -> ClientError:
    kind = _class_of_status(status)
    if kind is ImageTooLarge and not body:
        text = "the request is larger than the service takes; send a smaller image"
    else:
        text = f"status {status} with a body that is not the protocol's: {body[:80]!r}"
    return kind(text, status=status, retry_after_s=retry_after_s)
