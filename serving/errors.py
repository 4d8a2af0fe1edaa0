"""The service's own errors, and the one table from every error to what a client sees.

AdapterError
├── BadParameter     a query parameter or header is missing or wrong
├── AdapterLoading   a cold adapter takes longer to load than its row may wait
├── ConfigError      the service is misconfigured; it does not start
├── ExportError      the trunk cannot be exported, or an export cannot be served
└── LaunchError      TorchServe or Redis could not be started
"""

import logging

from adapters import errors as adapter_errors
from adapters.errors import AdapterError
from serving.protocol import HTTP_STATUS, ErrorBody, ErrorCode

logger = logging.getLogger(__name__)


class BadParameter(AdapterError):
    """A query parameter or header is missing or wrong."""


class AdapterLoading(AdapterError):
    """A cold adapter takes longer to load than its row may wait; asking again helps."""


class ConfigError(AdapterError):
    """The service is misconfigured; it does not start."""


class ExportError(AdapterError):
    """The trunk cannot be exported, or an export cannot be served."""


class LaunchError(AdapterError):
    """TorchServe or Redis could not be started."""


CODES: dict[type[Exception], ErrorCode] = {
    adapter_errors.TaskNotFound: ErrorCode.TASK_NOT_FOUND,
    adapter_errors.VersionNotFound: ErrorCode.VERSION_NOT_FOUND,
    adapter_errors.ArtifactMismatch: ErrorCode.WRONG_BACKBONE,
    adapter_errors.ArtifactCorrupt: ErrorCode.ADAPTER_DAMAGED,
    adapter_errors.StoreUnavailable: ErrorCode.STORE_UNAVAILABLE,
    adapter_errors.ImageTooLarge: ErrorCode.IMAGE_TOO_LARGE,
    adapter_errors.BadImage: ErrorCode.BAD_IMAGE,
    BadParameter: ErrorCode.BAD_PARAMETER,
    AdapterLoading: ErrorCode.NOT_READY,
}
"""Errors that a request can meet; any other is a fault of ours."""

_PUBLIC = {
    ErrorCode.TASK_NOT_FOUND: "no adapter is published for task {task!r}; check the name, or "
    "publish one",
    ErrorCode.VERSION_NOT_FOUND: "task {task!r} has no version that begins so, or several; give "
    "all its 64 hex digits, or none for the current version",
    ErrorCode.ADAPTER_DAMAGED: "the task's adapter is damaged; its publisher must publish it again",
    ErrorCode.STORE_UNAVAILABLE: "the adapter store cannot be read; try again later",
    ErrorCode.INTERNAL: "the service failed on this request; its log says why",
}
"""Public words where the error's own would tell a stranger about our machine."""


def to_wire(error: Exception, task: str | None) -> ErrorBody:
    """Return the body with which a request that met `error` is answered; log faults of ours."""
    code = CODES.get(type(error), ErrorCode.INTERNAL)
    if HTTP_STATUS[code] >= 500:
        logger.error("task %s: %s", task, error, exc_info=error)
    message = _PUBLIC[code].format(task=task) if code in _PUBLIC else str(error)
    return ErrorBody(code=code, message=message, task=task)
