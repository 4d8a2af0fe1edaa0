"""Damaged artifacts in the store: refused with the right reason, the version before goes on."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from adapters import errors
from adapters.cache.cached_store import CachedStore
from adapters.store.audit import examine
from adapters.store.directory import DirectoryStore
from adapters.store.record_changes import after_publish
from clients.client import Client
from clients.errors import ClientError
from clients.load.closed import Ask
from serving.inference.engine import Engine, Query
from serving.protocol import Answer, ErrorCode
from tests.e2e.service import expecting_engine
from tests.fakes.waiting import wait_until
from tests.faults.row import Row
from tests.faults.scene.scene import Scene
from tests.faults.scene.truth import Said
from tests.faults.scene.versions import IMAGES, TASKS, artifact_of
from tests.faults.sizes import Sizes
from tests.faults.strangers.damage import MARKER, Damaged, damaged

SERVED, OTHER_REASON, GAP, UNNOTICED, OPENED = (
    "served",
    "refused for another reason",
    "requests that the version before did not answer",
    "not found by verify",
    "pickles opened",
)
_CODES: Final = {
    errors.ArtifactCorrupt: ErrorCode.ADAPTER_DAMAGED,
    errors.ArtifactMismatch: ErrorCode.WRONG_BACKBONE,
}


def run(scene: Scene, sizes: Sizes) -> Row:
    """Meet every one in an engine of this process, and some over HTTP too."""
    must_be_0 = Counter(dict.fromkeys((SERVED, OTHER_REASON, GAP, UNNOTICED, OPENED), 0))
    everything = [damaged(number, scene.spec) for number in range(sizes.damaged)]
    must_be_0.update(_met_in_process(scene, everything))
    step = max(1, sizes.damaged // sizes.damaged_over_http)
    over_http = everything[::step]
    with scene.client() as client:
        for one in over_http:
            with _current(scene.source, one) as before:
                must_be_0.update(_faults_over_http(scene, client, one, before))
    must_be_0[OPENED] = int(MARKER.exists())
    MARKER.unlink(missing_ok=True)
    met = len(everything) + len(over_http)
    refused = met - must_be_0[SERVED] - must_be_0[OTHER_REASON]
    return Row(
        fault=f"{len(everything):,} damaged artifacts in the store, under right and wrong names",
        goal="all refused with the right reason, the version before goes on",
        figure=f"{refused:,} of {met:,} refused with the right reason, {len(over_http)} of them "
        f"over HTTP; {must_be_0[GAP]} times the version before did not answer",
        must_be_0=must_be_0,
        conditions={
            "in_process": len(everything),
            "over_http": len(over_http),
            "kinds": dict(Counter(one.kind for one in everything)),
        },
    )


def _met_in_process(scene: Scene, everything: list[Damaged]) -> Iterator[str]:
    """Yield what went wrong with each, in a store of its own."""
    source = CachedStore(DirectoryStore(scene.service.folder.parent / "damaged"))
    first = {task: source.publish(artifact_of(task, 0, scene.spec)).version for task in TASKS}
    engine = expecting_engine(scene.service.backbone, source.store.root)
    for one in everything:
        with _current(source, one):
            yield from _faults(engine, one, first[one.task])
            found = examine(source.store, one.task, one.version).damage
            if found is None and one.error is errors.ArtifactCorrupt:
                yield UNNOTICED
    engine.close()


def _faults(engine: Engine, one: Damaged, before: str) -> Iterator[str]:
    image = IMAGES[0]
    named, unnamed = engine.predict(
        [Query(image, one.task, version=one.version), Query(image, one.task)]
    )
    if isinstance(named, Answer):
        yield SERVED
    elif not isinstance(named, one.error) or one.words not in str(named):
        yield OTHER_REASON
    if isinstance(unnamed, errors.ArtifactMismatch):
        # a row waits for a moment only where all versions may be another backbone's
        unnamed = wait_until("a version stands in", lambda: _answer(engine, Query(image, one.task)))
    if not isinstance(unnamed, Answer) or unnamed.version != before:
        yield GAP


def _answer(engine: Engine, query: Query) -> Answer | None:
    (found,) = engine.predict([query])
    return found if isinstance(found, Answer) else None


def _faults_over_http(scene: Scene, client: Client, one: Damaged, before: str) -> Iterator[str]:
    ask = Ask(IMAGES[0], one.task)
    try:
        client.predict(ask.image, task=one.task, version=one.version)
        yield SERVED
    except ClientError as error:
        if error.code != _CODES[one.error]:
            yield OTHER_REASON
    try:
        answer = client.predict(ask.image, task=one.task)
    except ClientError:
        yield GAP
        return
    if answer.version != before or scene.truth.wrong([Said(ask, answer)]):
        yield GAP


@contextmanager
def _current(source: CachedStore, one: Damaged) -> Iterator[str]:
    """Have a damaged artifact stored and current for a while; yield the version before it.

    Written past the store, which would refuse it: as a disk that rots or an intruder does.
    """
    store = source.store
    record = store.record(one.task)
    store.files.artifact(one.task, one.version).write_bytes(one.data)
    store.files.move(one.task, after_publish(record, one.version, datetime.now(UTC)))
    if source.cache is not None:
        source.cache.announce(one.task)
    yield record.version
    source.rollback(one.task)
    store.remove(one.task, one.version)
