"""The engine of a front: decodes images here, and has their rows computed by a shared device.

The same calls as `serving.inference.engine.Engine`, without torch.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar, runtime_checkable

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import Picture
from serving.deadline import Deadline
from serving.decoding.decoder import Decoder, DecoderSettings, Pictures
from serving.inference.description import Description
from serving.observing.observers import OBSERVERS
from serving.protocol import TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query

COMPUTE_S: Final = 30.0
"""Longest wait for the device, on top of what cold adapters and images may take."""

PROBE_S: Final = 30.0

MOST_IMAGES: Final = 64
"""Of one call of the device: with more, a batch of lists would want more slots than there are."""


@runtime_checkable
class _Seats(Protocol):
    """What a call was told: for each query the rule for its image, or why it is refused."""

    @property
    def rows(self) -> Sequence[Preprocessing | Exception]:
        """One for each query."""


S = TypeVar("S", bound=_Seats)


@runtime_checkable
class SharedDevice(Protocol[S]):
    """A device that many fronts share; see `DeviceClient` and `LocalDevice`."""

    def seat(self, queries: Sequence[Query], deadline: Deadline, /) -> S:
        """Have versions chosen and adapters leased."""

    def compute(
        self, seats: S, pictures: Mapping[int, Picture], deadline: Deadline, /
    ) -> dict[int, Outcome]:
        """Have the rows computed that have pictures; the others are given up."""

    def forget(self, seats: S, /) -> None:
        """Give up a call whose rows will get no pictures."""

    def probe(self, patience_s: float, /) -> None:
        """Have one row of nothing computed; raise what keeps it from that."""

    def describe(self, tasks: Iterable[str] | None, patience_s: float, /) -> Description:
        """Return what is served and where it is: of these tasks, or of all."""

    def list_tasks(self, listing: Listing, patience_s: float, /) -> TaskPage:
        """Return a page of the tasks that a caller may ask, or one of them with its classes."""

    def close(self) -> None:
        """Let the device go."""


class FrontEngine(Generic[S]):
    """Answers queries with a device that it shares with others; safe for many threads.

    Args:
        device: of another process, or of this one.
        decoding: what decoding images may cost here.
        patience_s: how long a batch waits, in all, for adapters that are cold or stand in.
    """

    def __init__(
        self, device: SharedDevice[S], decoding: DecoderSettings, patience_s: float
    ) -> None:
        self._device = device
        self._decoder = Decoder(decoding)
        self._decode_patience_s = decoding.patience_s
        self._patience_s = patience_s

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        """Answer every query; one that fails gets its error and touches no other."""
        begin_s = time.monotonic()
        outcomes = [outcome for part in _parts(queries) for outcome in self._answered(part)]
        OBSERVERS.answered(begin_s, queries, outcomes)
        return outcomes

    def probe(self) -> None:
        """Have one row of nothing computed; raise what keeps it from that."""
        self._device.probe(PROBE_S)

    def describe(self, tasks: Iterable[str] | None = None) -> Description:
        """Return what is served and where it is: of these tasks, or of all."""
        return self._device.describe(tasks, PROBE_S)

    def list_tasks(self, listing: Listing) -> TaskPage:
        """Return a page of the tasks that a caller may ask, or one of them with its classes."""
        return self._device.list_tasks(listing, PROBE_S)

    def close(self) -> None:
        """Let the threads and the device go."""
        self._decoder.close()
        self._device.close()

    def _answered(self, queries: Sequence[Query]) -> list[Outcome]:
        try:
            return self._predict(queries)
        except Exception as error:  # of the device's: there is no row that it leaves out
            return [error] * len(queries)

    def _predict(self, queries: Sequence[Query]) -> list[Outcome]:
        seats = self._device.seat(queries, Deadline.after(self._patience_s + COMPUTE_S))
        rules = {
            place: rule for place, rule in enumerate(seats.rows) if isinstance(rule, Preprocessing)
        }
        try:
            found = self._decode(queries, rules)
        except BaseException:
            self._device.forget(seats)
            raise
        pictures = {place: one for place, one in found.items() if isinstance(one, Picture)}
        outcomes = self._device.compute(seats, pictures, Deadline.after(COMPUTE_S))
        errors = dict(enumerate(seats.rows)) | found
        return [outcomes.get(place) or _error(errors[place]) for place in range(len(queries))]

    def _decode(
        self, queries: Sequence[Query], rules: dict[int, Preprocessing]
    ) -> dict[int, Picture | Exception]:
        """Decode each distinct image once, under all the rules that it is asked under."""
        begin_s, deadline = time.monotonic(), Deadline.after(self._decode_patience_s)
        asked = [(queries[place].image, rule) for place, rule in rules.items()]
        decodings = self._decoder.start_all(asked)
        made = self._decoder.finish(set(decodings), deadline)
        OBSERVERS.phase("decode", begin_s, (queries[place] for place in rules))
        return {
            place: _picture(made[one], rules[place])
            for place, one in zip(rules, decodings, strict=True)
        }


def _parts(queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
    """Yield queries in their order, as many at once as one call of the device may have images."""
    begin, images = 0, set[int]()
    for place, query in enumerate(queries):
        images.add(id(query.image))
        if len(images) > MOST_IMAGES:
            yield queries[begin:place]
            begin, images = place, {id(query.image)}
    if queries:
        yield queries[begin:]


def _picture(made: Pictures | Exception, rule: Preprocessing) -> Picture | Exception:
    return made if isinstance(made, Exception) else made[rule]


def _error(found: Preprocessing | Picture | Exception) -> Exception:
    assert isinstance(found, Exception)
    return found
