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
├── LaunchError         the service or Redis could not be started
└── GuardBlind          a service's metrics cannot be read
"""

import logging
from collections.abc import Mapping
from math import ceil

from adapters import errors as adapter_errors
from adapters.errors import SptError
from serving.protocol import HTTP_STATUS, RETRY_HEADER, ErrorBody, ErrorCode

logger = logging.getLogger(__name__)


class BadParameter(SptError):
    """A query parameter or header is missing, unknown or out of range.

    Cause: The call lacks its task, names something that does not exist, or says something
        twice.
    Cure: The message names the parameter and what it may be. `docs/serving.md` has them all.
    """


class BadKey(SptError):
    """The service has tenants, and the call has the key of none.

    Cause: `X-Api-Key` is missing, misspelled, or was taken out of the tenants' file.
    Cure: Send the key that you were given, by `SPT_API_KEY` or `Client(api_key=…)`.
    """


class BadToken(SptError):
    """The service wants a token, and the call has none, or another one.

    Cause: The header `Authorization` is missing, or has a token of before a rotation or
        restart.
    Cure: Name the token's file, by `--token-file` or `SPT_TOKEN_FILE`: it is read again when it
        changes.
    """


class Forbidden(SptError):
    """The key is good, and the task is not for its holder, whether or not it exists.

    Cause: The tenants' file does not list this task for this key.
    Cure: Ask for another task, or have the operator add it to `tasks`.
    """


class RateLimited(SptError):
    """The key's rate is used up; asking again after a while helps.

    Cause: More rows were asked for than the tenant's `requests_per_s` and `burst` allow. Each
        image of each task is one.
    Cure: Wait as long as `Retry-After` says, and send less at a time. The clients wait by
        themselves.

    Attributes:
        retry_after_s: the while, in seconds.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BodyTooSlow(SptError):
    """The caller takes too long to send the body that it promised.

    Cause: The connection stalled for ten seconds, or fewer bytes came than were promised.
    Cure: Send it again, over a better connection or with a smaller image.
    """


class ServiceBusy(SptError):
    """The service holds as many requests as it may; asking again helps.

    Cause: More callers are waiting than there is room for.
    Cure: Ask again after a second, as the clients do. If it stays so, add fronts or machines.
    """

    retry_after_s = 1.0


class ServiceStopping(SptError):
    """The service is being stopped; asking again helps, here or elsewhere.

    Cause: Somebody stops or restarts it. All who have asked before are answered.
    Cure: Ask again. Behind a gateway another one answers.
    """

    retry_after_s = 1.0


class AdapterLoading(SptError):
    """A cold adapter takes longer to load than its row may wait; asking again helps.

    Cause: The task was not asked for a while, and its store is slow.
    Cure: Ask again: its load goes on. Name the task in `preload` or `pinned`, or raise
        `load_patience_s`.
    """


class DeviceLost(SptError):
    """The device is lost for this process, which ends; the one that follows it answers.

    Cause: The GPU or its driver failed, or was reset.
    Cure: Ask again after some seconds. If it comes back, look at the log and at the driver.
    """

    retry_after_s = 5.0


class DeviceAway(SptError):
    """The process that owns the device has ended, or is slow; asking again helps.

    Cause: The device process was killed or has crashed, or does not answer in time.
    Cure: Ask again after a second: it is started anew. `logs/device.log` says why it ended.
    """

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
    """An image takes longer to decode than its batch may wait; a smaller one may not.

    Cause: The image is very large or progressive, or the processor is overloaded.
    Cure: Send a smaller image, or raise `decode_patience_s`.
    """


class DeviceOutOfMemory(SptError):
    """The device has no room for this row, even after evicting.

    Cause: The batch, the adapters and other programs need more memory than the device has.
    Cure: Ask again. Lower `max_batch` or `bank_bytes`, or end what else uses the device.
    """


class ConfigError(SptError):
    """The service is misconfigured; it does not start.

    Cause: A setting is unknown, out of range, or contradicts another one, or a file that it
        names is not there.
    Cure: The message names the key. `docs/serving.md` has them all.
    """


class ExportError(SptError):
    """The trunk cannot be exported, or an export cannot be served.

    Cause: A package is missing, the processor cannot do it, or the answers would differ from
        torch's by too much.
    Cure: Install what is named, or take another precision. `docs/export.md` has what each one
        needs.
    """


class LaunchError(SptError):
    """The service or Redis could not be started.

    Cause: A port is taken, a service already runs in the folder, or it ended while it loaded.
    Cure: The message has the reason, and the log its details. `spt stop` ends the one of
        before, `--port` takes other ports.
    """


class GuardBlind(SptError):
    """A service's metrics cannot be read.

    Cause: The service is away, another program listens there, or it is a service without metrics.
    Cure: Check `--metrics`: the port of the ASGI front, and with TorchServe that of `/readyz`.
    """


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
