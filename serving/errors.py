"""The service's own errors, and the one table from every error to what a client sees.

SptError
├── BadParameter        a query parameter or header is missing, unknown or out of range
├── BadKey              the service has tenants, and the call has the key of none
├── BadToken            the service wants a token, and the call has none or another one
├── Forbidden           the key is good, and the task is not for its holder
├── RateLimited         the key's rate is used up
├── BodyTooSlow         the caller takes too long to send what it promised
├── ServiceBusy         the service holds as many requests as it may; one later has room
├── ServiceStopping     the service is being stopped; another one, or this one later, answers
├── AdapterLoading      a cold adapter takes longer to load than its row may wait
├── DeviceLost          the device is lost for this process, which ends; the next one answers
├── DeviceAway          the process that owns the device has ended; another one begins
├── Refused             the process that owns the device has said why not
├── DecodingTooSlow     an image takes longer to decode than its batch may wait
├── DeviceOutOfMemory   the device has no room for this row, even after evicting
├── ConfigError         the service is misconfigured; it does not start
├── ExportError         the trunk cannot be exported, or an export cannot be served
└── LaunchError         the service or Redis could not be started
"""

import logging
from collections.abc import Mapping
from math import ceil

from adapters import errors as adapter_errors
from adapters.errors import SptError
from serving.protocol import HTTP_STATUS, RETRY_HEADER, ErrorBody, ErrorCode

logger = logging.getLogger(__name__)


class BadParameter(SptError):
    """A query parameter or header is missing, unknown or out of range."""


class BadKey(SptError):
    """The service has tenants, and the call has the key of none."""


class BadToken(SptError):
    """The service wants a token, and the call has none, or another one."""


class Forbidden(SptError):
    """The key is good, and the task is not for its holder, whether or not it exists."""


class RateLimited(SptError):
    """The key's rate is used up; asking again after a while helps.

    Attributes:
        retry_after_s: the while, in seconds.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BodyTooSlow(SptError):
    """The caller takes too long to send the body that it promised."""


class ServiceBusy(SptError):
    """The service holds as many requests as it may; asking again helps."""

    retry_after_s = 1.0


class ServiceStopping(SptError):
    """The service is being stopped; asking again helps, here or elsewhere."""

    retry_after_s = 1.0


class AdapterLoading(SptError):
    """A cold adapter takes longer to load than its row may wait; asking again helps."""


class DeviceLost(SptError):
    """The device is lost for this process, which ends; the one that follows it answers."""

    retry_after_s = 5.0


class DeviceAway(SptError):
    """The process that owns the device has ended, or is slow; asking again helps."""

    retry_after_s = 1.0


class Refused(SptError):
    """The process that owns the device has said why not.

    Attributes:
        body: its words, as a client sees them.
    """

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(body.message)
        self.body = body


class DecodingTooSlow(SptError):
    """An image takes longer to decode than its batch may wait; a smaller one may not."""


class DeviceOutOfMemory(SptError):
    """The device has no room for this row, even after evicting."""


class ConfigError(SptError):
    """The service is misconfigured; it does not start."""


class ExportError(SptError):
    """The trunk cannot be exported, or an export cannot be served."""


class LaunchError(SptError):
    """The service or Redis could not be started."""


CODES: dict[type[Exception], ErrorCode] = {
    adapter_errors.TaskNotFound: ErrorCode.TASK_NOT_FOUND,
    adapter_errors.VersionNotFound: ErrorCode.VERSION_NOT_FOUND,
    adapter_errors.ArtifactMismatch: ErrorCode.WRONG_BACKBONE,
    adapter_errors.ArtifactCorrupt: ErrorCode.ADAPTER_DAMAGED,
    adapter_errors.SignatureInvalid: ErrorCode.ADAPTER_NOT_TRUSTED,
    adapter_errors.StoreUnavailable: ErrorCode.STORE_UNAVAILABLE,
    adapter_errors.ImageTooLarge: ErrorCode.IMAGE_TOO_LARGE,
    adapter_errors.BadImage: ErrorCode.BAD_IMAGE,
    BadParameter: ErrorCode.BAD_PARAMETER,
    BadKey: ErrorCode.BAD_KEY,
    BadToken: ErrorCode.BAD_TOKEN,
    Forbidden: ErrorCode.FORBIDDEN,
    RateLimited: ErrorCode.RATE_LIMITED,
    BodyTooSlow: ErrorCode.BODY_TOO_SLOW,
    ServiceBusy: ErrorCode.NOT_READY,
    ServiceStopping: ErrorCode.NOT_READY,
    AdapterLoading: ErrorCode.NOT_READY,
    DeviceLost: ErrorCode.NOT_READY,
    DeviceAway: ErrorCode.NOT_READY,
    DecodingTooSlow: ErrorCode.NOT_READY,
    DeviceOutOfMemory: ErrorCode.OUT_OF_MEMORY,
}
"""Errors that a request can meet; any other is a fault of ours."""

_PUBLIC = {
    ErrorCode.TASK_NOT_FOUND: "no adapter is published for task {task!r}; check the name, or "
    "publish one",
    ErrorCode.VERSION_NOT_FOUND: "task {task!r} has no version that begins so, or several; give "
    "all its 64 hex digits, or none for the current version",
    ErrorCode.ADAPTER_DAMAGED: "the task's adapter is damaged; its publisher must publish it again",
    ErrorCode.ADAPTER_NOT_TRUSTED: "nobody whom this service trusts has signed the task's adapter; "
    "its publisher must sign it and publish it again",
    ErrorCode.STORE_UNAVAILABLE: "the adapter store cannot be read; try again later",
    ErrorCode.OUT_OF_MEMORY: "the device has no memory left for this row; try again later",
    ErrorCode.INTERNAL: "the service failed on this request; its log says why",
}
"""Public words where the error's own would tell a stranger about our machine."""

_SCHEMES: Mapping[str, str] = {ErrorCode.BAD_KEY: "ApiKey", ErrorCode.BAD_TOKEN: "Bearer"}
"""How HTTP calls what a caller must show."""

_PASSING = (RateLimited, ServiceBusy, ServiceStopping, DeviceLost, DeviceAway)
"""Errors that say after how long asking again helps."""

_LOGGED = "(its traceback is in the log)"
"""Noted on an error whose traceback is; a whole forward's rows share one error."""


def code_of(error: Exception) -> ErrorCode:
    """Return what an error is called on the wire."""
    if isinstance(error, Refused):
        return ErrorCode(error.body.code)
    return CODES.get(type(error), ErrorCode.INTERNAL)


def to_wire(error: Exception, task: str | None) -> ErrorBody:
    """Return the body with which a request that met `error` is answered; log faults of ours.

    A service that is not ready is no fault; where nobody foresaw the error, its traceback is
    logged with it, once however many rows met it.
    """
    if isinstance(error, Refused):
        return error.body
    code = code_of(error)
    if HTTP_STATUS[code] >= 500 and code != ErrorCode.NOT_READY:
        is_new = code == ErrorCode.INTERNAL and _LOGGED not in getattr(error, "__notes__", ())
        logger.error(
            "task %s: %s",
            *(task, error),
            exc_info=error if is_new else None,
            extra={"task": task, "code": code.value},
        )
        if is_new:
            error.add_note(_LOGGED)
    message = _PUBLIC[code].format(task=task) if code in _PUBLIC else str(error)
    wait_s = error.retry_after_s if isinstance(error, _PASSING) else None
    return ErrorBody(code=code, message=message, task=task, retry_after_s=wait_s)


def headers_of(error: ErrorBody) -> dict[str, str]:
    """Return what HTTP wants with an answer that has failed: how to get in, when to ask again."""
    if error.code in _SCHEMES:
        return {"WWW-Authenticate": _SCHEMES[error.code]}
    if error.retry_after_s is None:
        return {}
    return {RETRY_HEADER: str(ceil(error.retry_after_s))}
