"""What is published under a task: the versions that answer, and how that came about.

Readers ignore what they do not know, and refuse only a format above theirs; who changes a record
keeps what they do not know. Pure values; knows nothing of files, but names them in its messages.
"""

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.artifact.backbone_spec import Sha256
from adapters.errors import ArtifactCorrupt

FORMAT = 1
"""Of the record; a later one may mean something else by the same fields."""

MAX_HISTORY = 100
"""How many publishes a task remembers, and rollback can walk back through."""

MAX_RETIRED = 100
"""Of how many versions a task remembers one by one when they stopped answering."""


class Canary(BaseModel):
    """A version that answers a share of its task's requests, next to the current one."""

    model_config = ConfigDict(frozen=True)

    version: Sha256
    share: float = Field(gt=0, lt=1, description="of the task's requests")


class Shadow(BaseModel):
    """A version that computes copies of a share of its task's requests, and answers nobody."""

    model_config = ConfigDict(frozen=True)

    version: Sha256
    share: float = Field(gt=0, le=1, description="of the task's requests")


class Pointer(BaseModel):
    """Which versions of a task answer; a higher sequence is the newer pointer."""

    model_config = ConfigDict(frozen=True)

    version: Sha256 = Field(description="the current one")
    sequence: int = Field(ge=1, description="counts the changes of the task's pointer")
    canary: Canary | None = None
    shadow: Shadow | None = None

    def chosen(self, draw: float) -> str:
        """Return the version that answers a request.

        Args:
            draw: in [0, 1), the same for the same image; below the canary's share it answers.
        """
        canary = self.canary
        return canary.version if canary is not None and draw < canary.share else self.version

    @property
    def answering(self) -> frozenset[str]:
        """Every version that may answer: the current one and the canary."""
        return frozenset({self.version, self.canary.version if self.canary else self.version})

    @property
    def running(self) -> frozenset[str]:
        """Every version that services compute with: those that answer, and the shadow."""
        return self.answering | ({self.shadow.version} if self.shadow else frozenset())


class Step(BaseModel):
    """What a lookup reads of one step of the history."""

    model_config = ConfigDict(frozen=True)

    version: str


class HistoryEntry(Step):
    """One version that became current."""

    version: Sha256
    sequence: int = Field(ge=1, description="of the pointer that made it current")
    published_at: AwareDatetime


class Retirement(BaseModel):
    """When a version stopped answering."""

    model_config = ConfigDict(frozen=True)

    version: Sha256
    at: AwareDatetime


class LastChange(BaseModel):
    """The change that led to a record: what a retry needs to recognise itself by."""

    model_config = ConfigDict(frozen=True)

    id: str
    what: str
    subject: Sha256 | None = Field(None, description="the version that it was about")
    sequence: int = Field(ge=1, description="of the record that it led to")
    at: AwareDatetime


class RecordHead(Pointer):
    """What a lookup reads of a record: its pointer, and whether the record agrees with itself."""

    format: int = Field(FORMAT, ge=1, le=FORMAT)
    history: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _versions_agree(self) -> "RecordHead":
        if self.history[-1].version != self.version:
            raise ValueError("the last version of the history is not the current one")
        if self.canary is not None and self.canary.version == self.version:
            raise ValueError("the canary is the current version")
        return self

    @property
    def pointer(self) -> Pointer:
        """The pointer alone."""
        return Pointer(
            version=self.version, sequence=self.sequence, canary=self.canary, shadow=self.shadow
        )


_Head = TypeVar("_Head", bound=RecordHead)


class TaskRecord(RecordHead):
    """A task's pointer, the publishes that led to it, and what is known for deleting."""

    model_config = ConfigDict(frozen=True, extra="allow")

    history: tuple[HistoryEntry, ...] = Field(
        min_length=1, description="oldest first; the last one is current, rollback drops it"
    )
    pinned: tuple[Sha256, ...] = Field((), description="never deleted; sorted")
    retired: tuple[Retirement, ...] = Field((), description="the last ones that stopped answering")
    others_retired_by: AwareDatetime | None = Field(
        None, description="when the last of those left out of `retired` stopped answering"
    )

    revision: int = Field(
        0, ge=0, description="counts pins and deletions since the pointer's last change"
    )
    last_change: LastChange | None = None

    @property
    def protected(self) -> frozenset[str]:
        """Every version that is never deleted: those that run and those that are pinned."""
        return self.running | set(self.pinned)

    @property
    def named(self) -> frozenset[str]:
        """Every version that the record counts on being held."""
        return self.protected.union(entry.version for entry in self.history)

    def latest(self, count: int) -> list[str]:
        """Return the last `count` distinct versions of the history, the current one first."""
        newest_first = (entry.version for entry in reversed(self.history))
        return list(dict.fromkeys(newest_first))[:count]

    def stopped_at(self, version: str) -> datetime | None:
        """Return a time since which a version that does not answer has certainly not done so.

        None where nothing is known: it never answered, or not since the history began.
        """
        noted = [entry.at for entry in self.retired if entry.version == version]
        if noted:
            return noted[0]
        followed = [
            after.published_at for one, after in pairwise(self.history) if one.version == version
        ]
        return max([*followed, *filter(None, [self.others_retired_by])], default=None)


def parse_record(data: bytes, path: Path | str) -> TaskRecord:
    """Return the record that a file holds.

    Raises:
        ArtifactCorrupt: it holds something else; names the file.
    """
    return _parsed(TaskRecord, data, path)


def parse_pointer(data: bytes, path: Path | str) -> Pointer:
    """Return the pointer of the record that a file holds; dates in its history are not looked at.

    Raises:
        ArtifactCorrupt: it holds something else; names the file.
    """
    return _parsed(RecordHead, data, path).pointer


def _parsed(kind: type[_Head], data: bytes, path: Path | str) -> _Head:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        if any(one["loc"] == ("format",) for one in error.errors()):
            raise ArtifactCorrupt(
                f"{path}: expected a record of a format up to {FORMAT}, found another one; use the "
                "version that wrote it, or a later one"
            ) from error
        reason = str(error).replace("\n", " ")[:200]
        raise ArtifactCorrupt(
            f"{path}: not a task record ({reason}); restore the file, or delete it and "
            "publish the task again"
        ) from error
