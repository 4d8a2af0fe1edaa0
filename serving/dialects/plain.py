"""What contracts share that name the task in the path, and say in plain text what is wrong."""

import json
from collections.abc import Collection, Mapping
from typing import Final

from adapters.artifact.task import check_task_id
from serving.door.fields import Pairs
from serving.door.replies import Reply
from serving.errors import BadParameter, headers_of, to_wire
from serving.protocol import HTTP_STATUS, TASK_PARAMETER, VERSION_PARAMETER, ErrorBody, ErrorCode

PLAIN_PATHS: Final = ("/v2", "/hf/")
"""How the paths of these contracts begin."""


class PathTask:
    """The task that a path names.

    Args:
        path: its parts by name: `task`, and maybe `version`.

    Attributes:
        task: its id, None until it is known to be one.
    """

    def __init__(self, path: Mapping[str, str]) -> None:
        self._path = path
        self.task: str | None = None

    def pairs(self, query: Pairs, known: Collection[str]) -> Pairs:
        """Return the task and the version, and the parameters that are in the query.

        Args:
            query: of the request's line.
            known: names of parameters that may be there.

        Raises:
            BadParameter: another one is, or the task is no task id.
        """
        unknown = sorted({name for name, _ in query} - set(known))
        if unknown:
            raise BadParameter(
                f"unknown parameter {unknown[0][:80]!r} in the address: expected one of "
                f"{', '.join(known)}"
            )
        try:
            self.task = check_task_id(self._path[TASK_PARAMETER])
        except ValueError as error:
            raise BadParameter(str(error)) from error
        version = self._path.get(VERSION_PARAMETER)
        named = [] if version is None else [(VERSION_PARAMETER, version)]
        return [*query, (TASK_PARAMETER, self.task), *named]

    def refusal(self, error: Exception) -> Reply:
        """Return the reply to a call that met an error."""
        return plain_refusal(to_wire(error, self.task))


def plain_refusal(error: ErrorBody) -> Reply:
    """Return the reply of a call that failed: a status, and the message alone."""
    body = json.dumps({"error": error.message}).encode()
    return Reply(HTTP_STATUS[ErrorCode(error.code)], headers_of(error), body)
