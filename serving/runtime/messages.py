"""What a front process and the device process say to each other, as JSON over a socket.

A call is one batch of queries of a front: it asks for seats, brings pixels, and gets outcomes. Its
number is the front's, and means nothing to others. Knows neither sockets nor tensors.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from adapters.artifact.preprocessing import Preprocessing
from serving.protocol import Answer, ErrorBody
from serving.rows.listing import Listing
from serving.rows.query import LABELS_ALONE, Extras

CallId = Annotated[int, Field(ge=0)]
Place = Annotated[int, Field(ge=0, description="of a row in its call")]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Welcome(_Message):
    """The device process is warm; the first message to a front."""

    kind: Literal["welcome"] = "welcome"
    slot_bytes: int = Field(ge=1, description="of the largest picture")


class AskedRow(_Message):
    """One query without its image."""

    task: str
    version: str | None
    top_k: int
    extras: Extras = Field(LABELS_ALONE, exclude_if=lambda asked: asked == LABELS_ALONE)
    digest: str = Field(
        "", description="of the image, hexadecimal: which canary it meets; empty if untold"
    )
    trace: str | None = Field(
        None, exclude_if=lambda trace: trace is None, description="of whoever asks, see `Query`"
    )


class Ask(_Message):
    """A front has these rows, and wants to know whether and how to decode their images."""

    kind: Literal["ask"] = "ask"
    call: CallId
    rows: tuple[AskedRow, ...]


class Seated(_Message):
    """For each row the number of its rule for pixels, or why it is refused.

    Or there are no seats: tasks have canaries, and the call is to be asked again with digests.
    """

    kind: Literal["seated"] = "seated"
    call: CallId
    rules: tuple[Preprocessing, ...]
    rows: tuple[int | ErrorBody, ...]
    drawing: frozenset[str] = Field(
        frozenset(), description="tasks whose rows need digests; if any, there are no seats"
    )


class Placed(_Message):
    """One picture in shared memory."""

    slot: int = Field(ge=0)
    height: int = Field(ge=1, description="pixels")
    width: int = Field(ge=1, description="pixels")
    is_whole: bool = Field(description="whether it is left to the device to crop")


class Compute(_Message):
    """Here are the pictures of these rows; rows that are not named are given up."""

    kind: Literal["compute"] = "compute"
    call: CallId
    pictures: dict[Place, Placed]


class Outcomes(_Message):
    """What became of the rows whose pixels came; their slots are the front's again."""

    kind: Literal["outcomes"] = "outcomes"
    call: CallId
    rows: dict[Place, Answer | ErrorBody]


class Forget(_Message):
    """A call is given up; what was asked of it is answered no more."""

    kind: Literal["forget"] = "forget"
    call: CallId


class Probe(_Message):
    """Compute one row of nothing, through the queue."""

    kind: Literal["probe"] = "probe"
    call: CallId


class Describe(_Message):
    """Say what is served and where it is: of these tasks, or of all."""

    kind: Literal["describe"] = "describe"
    call: CallId
    tasks: tuple[str, ...] | None


class ListTasks(_Message):
    """Say which tasks there are."""

    kind: Literal["list"] = "list"
    call: CallId
    listing: Listing


class Told(_Message):
    """The answer to a probe, a description or a list, or why there is none."""

    kind: Literal["told"] = "told"
    call: CallId
    description: str | None = Field(None, description="a `Description` or a `TaskPage` as JSON")
    error: ErrorBody | None = None


ToDevice = Annotated[
    Ask | Compute | Forget | Probe | Describe | ListTasks, Field(discriminator="kind")
]
ToFront = Annotated[Welcome | Seated | Outcomes | Told, Field(discriminator="kind")]

TO_DEVICE: TypeAdapter[ToDevice] = TypeAdapter(ToDevice)
TO_FRONT: TypeAdapter[ToFront] = TypeAdapter(ToFront)
