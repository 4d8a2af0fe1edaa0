"""What a service says of itself, as JSON: backbone, memory, Redis, tasks and their versions."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from adapters.store.directory import Pointer

Place = Literal["device", "host", "redis", "store"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ShadowDescription(_Part):
    """What a version did as the shadow of its task, since the worker began."""

    rows: dict[str, int] = Field(description="by agreement: same, other, dropped, failed")
    errors: dict[str, int] = Field(description="of those that failed, by code")
    seconds: float = Field(description="that its forwards took")


class VersionDescription(_Part):
    """One version of a task."""

    version: str
    places: tuple[Place, ...] = Field(description="where it is, nearest first")
    never_evicted: bool = Field(description="the service keeps it on its device")
    never_deleted: bool = Field(description="the store keeps it, see `spt pin`")
    trouble: str | None = Field(description="why another version answers for it")
    shadow: ShadowDescription | None = Field(None, exclude_if=lambda found: found is None)


class TaskDescription(_Part):
    """One task, as this service sees it."""

    pointer: Pointer | None = Field(description="the current version, and the canary if any")
    trouble: str | None = Field(description="why something about it cannot be told")
    versions: tuple[VersionDescription, ...]


class BackboneDescription(_Part):
    """The one frozen ViT."""

    name: str
    weights_sha256: str
    device: str
    dtype: str


class BankDescription(_Part):
    """The adapters on the device."""

    adapters: int
    bytes: int
    budget_bytes: int


class RedisDescription(_Part):
    """Hits and misses of artifacts, and errors, are counted since the worker began."""

    is_up: bool
    hears_publishes: bool
    hits: int
    misses: int
    errors: int


class Description(_Part):
    """All of it."""

    backbone: BackboneDescription
    bank: BankDescription
    redis: RedisDescription | None
    follows_store: bool = Field(
        description="whether its feed tells what moves; else each task is looked up all the time"
    )
    tasks: dict[str, TaskDescription]
    left_out: int = Field(description="tasks beyond the first thousand; ask for them by name")
    trouble: str | None = Field(description="why the store's tasks cannot be listed")
