"""Every metric of the service: its name, its kind, its labels, and what it says.

Dashboards and alerts are built on these names, so they stay.
"""

from typing import Final, Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]

SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Upper bounds of the buckets of what takes time."""

COUNTS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Upper bounds of the buckets of what is counted by batch."""

ROUTE: Final = "/metrics"
"""Where they are read."""

OK: Final = "ok"
"""The code of a row that has an answer."""


class Entry(NamedTuple):
    """One metric.

    Attributes:
        kind: of Prometheus.
        labels: by which it is split.
        meaning: in a sentence.
        buckets: of a histogram.
    """

    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


def _counter(meaning: str, *labels: str) -> Entry:
    return Entry("counter", labels, meaning)


def _gauge(meaning: str, *labels: str) -> Entry:
    return Entry("gauge", labels, meaning)


def _seconds(meaning: str, *labels: str) -> Entry:
    return Entry("histogram", labels, meaning, SECONDS)


def _counts(meaning: str) -> Entry:
    return Entry("histogram", (), meaning, COUNTS)


METRICS: Final = {
    "spt_requests_total": _counter("Calls to predict that were answered, by HTTP status", "status"),
    "spt_request_seconds": _seconds("Of such a call: from its head to its reply"),
    "spt_rows_total": _counter("Rows that the engine answered: ok, or an error's code", "code"),
    "spt_refusals_total": _counter("Calls and rows refused before any look-up, by code", "code"),
    "spt_phase_seconds": _seconds(
        "Of queue, decode, lookup, load, forward or answer; rows that go together count once",
        "phase",
    ),
    "spt_queue_rows": _gauge("Rows that wait for a thread or for the device"),
    "spt_batch_rows": _counts("Rows of one forward"),
    "spt_batch_tasks": _counts("Distinct tasks of one forward"),
    "spt_bank_bytes": _gauge("Device memory of all resident adapters"),
    "spt_bank_limit_bytes": _gauge("What it may be: `bank_bytes`"),
    "spt_bank_adapters": _gauge("Resident adapters"),
    "spt_bank_hits_total": _counter("Adapters that were resident when a batch needed them"),
    "spt_bank_misses_total": _counter("Adapters that had to be loaded for a batch"),
    "spt_bank_evictions_total": _counter("Adapters that had to go"),
    "spt_adapter_load_seconds": _seconds("Of an adapter's load, from the store to the device"),
    "spt_versions_served": _gauge("Distinct versions among the resident adapters"),
    "spt_stand_ins": _gauge("Versions that should answer now, and that another one answers for"),
    "spt_redis_up": _gauge("1 if Redis answered last, else 0; absent without Redis"),
    "spt_redis_failures_total": _counter("Commands that Redis refused or did not answer"),
    "spt_store_up": _gauge("1 if the store answers, else 0"),
    "spt_device_memory_bytes": _gauge("Of a CUDA device: `used` and `total`", "kind"),
    "spt_ready": _gauge("1 if `/readyz` says 200, else 0"),
    "spt_heartbeat_age_seconds": _gauge("Since the service last showed that it works"),
    "spt_info": _gauge("Always 1", "version", "backbone", "precision", "backend"),
    "spt_version_rows_total": _counter(
        "Rows of tasks that have a canary, by version: ok, or an error's code",
        *("task", "version", "role", "outcome"),
    ),
    "spt_version_seconds": _seconds(
        "Of such a row that was answered: from its arrival to its answer",
        *("task", "version", "role"),
    ),
}
"""By name, in the order of the documents."""
