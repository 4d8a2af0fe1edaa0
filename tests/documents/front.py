"""The ASGI front, for examples that use clients of others; it answers as our fake service does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.front.token import TokenFile
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.protocol import Answer, LabelScore, TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query
from tests.fakes.tiny_front import listening_app

_LABELS = tuple(
    LabelScore(label=label, index=i, score=0.5) for i, label in enumerate(("zero", "one", "two"))
)


class _Engine:
    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        return [
            Answer(task=query.task, version="0" * 64, predictions=_LABELS[: query.top_k])
            for query in queries
        ]

    def list_tasks(self, _: Listing) -> TaskPage:
        return TaskPage(tasks=())

    def close(self) -> None:
        """Hold nothing."""


@contextmanager
def front_with_token(token: Path) -> Iterator[str]:
    """Answer whoever shows the token of a file; yields the address."""
    app = build_app(
        _Engine(),
        Admission(None, RateLimit()),
        Vitals(Heartbeat(None), lambda: None),
        Bounds(10_000_000, 1 << 30, threads=1),
        token=TokenFile(token),
    )
    with listening_app(app) as url:
        yield url
