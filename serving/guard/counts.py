"""What services have counted of a task's versions: read from metrics, summed over restarts."""

import urllib.error
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from adapters.artifact.codec import short
from serving.errors import GuardBlind
from serving.launch.loopback import ask
from serving.metrics.table import OK
from serving.metrics.told import read_told
from serving.protocol import ErrorCode
from serving.rows.query import Role

FAULTS: Final = frozenset(
    {
        ErrorCode.VERSION_NOT_FOUND,
        ErrorCode.WRONG_BACKBONE,
        ErrorCode.ADAPTER_DAMAGED,
        ErrorCode.ADAPTER_NOT_TRUSTED,
        ErrorCode.OUT_OF_MEMORY,
        ErrorCode.INTERNAL,
    }
)
"""Errors that a version may be to blame for. A caller's are not, nor those of a store or a service
that is away: such rows say nothing of a version, and are not counted."""

_PATIENCE_S: Final = 10.0

Series = Counter[str | float]
"""Rows by outcome; and answered rows by the seconds that they took at most, cumulative."""


class Named(NamedTuple):
    """A version in a role, as metrics name it: by its first digits."""

    version: str
    role: Role


class Counts:
    """What versions of one task have done since the first look.

    A service that was started again counts from 0. What it had counted since the last look before
    that is not known, and is left out.

    Args:
        task: its id.
        urls: of the metrics of the services.
    """

    def __init__(self, task: str, urls: Sequence[str]) -> None:
        self._task = task
        self._urls = tuple(urls)
        self._last: dict[str, Mapping[Named, Series]] = {}
        self._so_far: dict[Named, Series] = {}

    def begin(self) -> None:
        """Read all services for the first time; what they have counted until now is left out.

        Raises:
            GuardBlind: none of them can be read.
        """
        troubles = self.look()
        if len(troubles) == len(self._urls):
            raise GuardBlind(troubles[0])

    def look(self) -> list[str]:
        """Read all services once; return why some of them could not be read."""
        troubles = []
        for url in self._urls:
            try:
                found = read(url, self._task)
            except GuardBlind as error:
                troubles.append(str(error))
                continue
            if url in self._last:
                self._add(found, self._last[url])
            self._last[url] = found
        return troubles

    def of(self, version: str, role: Role) -> Series:
        """Return what a version, by all its digits, has done in a role."""
        return self._so_far.get(Named(short(version), role), Counter())

    def _add(self, found: Mapping[Named, Series], last: Mapping[Named, Series]) -> None:
        for name, now in found.items():
            before = last.get(name, Counter())
            if any(now[key] < count for key, count in before.items()):
                before = Counter()  # it was started again
            added = {key: count - before[key] for key, count in now.items()}
            self._so_far.setdefault(name, Counter()).update(added)


def read(url: str, task: str) -> dict[Named, Series]:
    """Return what a service has counted of a task's versions; nothing where none was asked.

    Raises:
        GuardBlind: it does not answer, or not with metrics.
    """
    try:
        samples = read_told(ask(url, {}, _PATIENCE_S))
    except (OSError, ValueError) as error:
        status = error.code if isinstance(error, urllib.error.HTTPError) else None
        reason = f"status {status}" if status else f"{type(error).__name__}: {error}"
        raise GuardBlind(
            f"{url}: expected metrics of this service, found none ({reason}); name the address "
            "with --metrics, such as http://127.0.0.1:8083/metrics"
        ) from error
    found: dict[Named, Series] = {}
    for sample in samples:
        labels = sample.labels
        if labels.get("task") != task or "role" not in labels:
            continue
        series = found.setdefault(Named(labels["version"], _role(labels["role"])), Counter())
        if sample.name == "spt_version_rows_total":
            series[labels["outcome"]] += int(sample.value)
        elif sample.name == "spt_version_seconds_bucket":
            series[float(labels["le"])] += int(sample.value)
    return found


def rows_of(series: Series) -> int:
    """Return how many rows say something of a version: those answered, and its faults."""
    return series[OK] + faults_of(series)


def faults_of(series: Series) -> int:
    """Return how many rows failed by what a version may be to blame for."""
    return sum(series[code] for code in FAULTS)


def _role(text: str) -> Role:
    return "canary" if text == "canary" else "shadow" if text == "shadow" else "current"
