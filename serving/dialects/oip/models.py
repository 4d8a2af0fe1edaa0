"""What the service and a task are, in the words of the protocol."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from adapters.errors import ArtifactMismatch, VersionNotFound
from serving.dialects.oip.outputs import outputs_of
from serving.dialects.oip.shapes import (
    BINARY_EXTENSION,
    BYTES,
    IMAGE,
    ModelMetadata,
    ModelReady,
    ServerMetadata,
    TensorMetadata,
)
from serving.dialects.plain import PathTask
from serving.door.fields import Pairs
from serving.door.replies import Reply
from serving.door.request import parse_request
from serving.protocol import LIST_PARAMETER, LIST_TASKS, TASK_PARAMETER, TaskInfo, TaskPage

_NAME: Final = "spt-serving"
_IMAGES: Final = TensorMetadata(name=IMAGE, datatype=BYTES, shape=(-1,))


@cache
def server_metadata() -> ServerMetadata:
    """Return what this service is."""
    try:
        found = version(_NAME)
    except PackageNotFoundError:  # it runs from a folder
        found = "0"
    return ServerMetadata(name=_NAME, version=found, extensions=(BINARY_EXTENSION,))


class ModelLook:
    """A call that asks what a task is, or whether it answers.

    Args:
        path: names the task, and maybe the version.
        only_ready: whether it asks no more than that.
    """

    def __init__(self, path: Mapping[str, str], *, only_ready: bool) -> None:
        self._path = PathTask(path)
        self._version: str | None = None
        self._only_ready = only_ready

    def listing(self, query: Pairs) -> dict[str, object]:
        """Return the request for a list that tells it.

        Args:
            query: of the request's line.

        Raises:
            BadParameter: there is one; or no such task or version can be.
        """
        asked = parse_request(dict(self._path.pairs(query, ())), None)
        self._version = asked.version
        return {LIST_PARAMETER: LIST_TASKS, TASK_PARAMETER: self._path.task}

    def reply(self, page: TaskPage) -> Reply:
        """Return the reply, by the list.

        Raises:
            VersionNotFound: the version is none of the last that were current.
            ArtifactMismatch: the task is for another backbone.
        """
        (info,) = page.tasks
        versions = info.versions or ()
        asked = self._version or info.version
        if not any(one.startswith(asked) for one in (info.version, *versions)):
            raise VersionNotFound(f"{info.task}: no version {asked} among the last {len(versions)}")
        if not self._only_ready:
            return Reply(200, {}, _metadata(info).model_dump_json().encode())
        if info.trouble is not None:
            raise ArtifactMismatch(info.trouble)
        return Reply(200, {}, ModelReady(name=info.task, ready=True).model_dump_json().encode())

    def refusal(self, error: Exception) -> Reply:
        """Return the reply to a call that met an error."""
        return self._path.refusal(error)


def _metadata(info: TaskInfo) -> ModelMetadata:
    return ModelMetadata(
        name=info.task,
        versions=info.versions or (info.version,),
        platform=_NAME,
        inputs=(_IMAGES,),
        outputs=outputs_of(info.target),
    )
