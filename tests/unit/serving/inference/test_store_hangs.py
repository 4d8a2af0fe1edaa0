"""A store that hangs holds no batch and no description, whoever of them asks it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.cache import store_calls
from adapters.cache.cached_store import CachedStore
from adapters.errors import StoreUnavailable, VersionNotFound
from adapters.vit.adapter import encode
from serving.inference import describe as describe_module
from serving.inference import seating
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.protocol import Answer
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.hanging_store import HangingStore
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.waiting import wait_until

COLD = tuple(f"cold-{number}" for number in range(40))
PATIENCE_S = 0.5
LONG_S = 10.0
"""Far less than the minute for which the store hangs, and patient with a busy machine."""


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture
def store(tmp_path: Path, backbone, monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingStore]:
    monkeypatch.setattr(store_calls, "LIMIT_S", PATIENCE_S)
    monkeypatch.setattr(store_calls, "PROBE_EVERY_S", PATIENCE_S)
    monkeypatch.setattr(seating, "LOOK_UP_S", PATIENCE_S)
    monkeypatch.setattr(describe_module, "PATIENCE_S", PATIENCE_S)
    store = HangingStore(tmp_path / "store")
    for task in ("known", *COLD):
        store.publish(encode(make_adapter(task, backbone=backbone.spec)))
    yield store
    store.goes_on.set()


@pytest.fixture
def engine(store: HangingStore, backbone) -> Iterator[Engine]:
    source = CachedStore(store, pointer_ttl_s=0.05)
    source.watch()
    bank = AdapterBank(backbone, source, 1 << 20)
    engine = Engine(Core(CpuBackend(backbone), source, bank), patience_s=PATIENCE_S)
    yield engine
    engine.close()
    source.close()


def ask(engine: Engine, *tasks: str, version: str | None = None) -> list[object]:
    return engine.predict([Query(image_bytes(0), task, version=version) for task in tasks])


def test_a_batch_of_many_unknown_tasks_ends_and_the_known_one_answers(
    engine: Engine, store: HangingStore
) -> None:
    ask(engine, "known")
    store.goes_on.clear()
    start = time.monotonic()
    *cold, known = ask(engine, *COLD, "known")
    assert time.monotonic() - start < LONG_S
    assert isinstance(known, Answer)
    assert {type(outcome) for outcome in cold} == {StoreUnavailable}
    store.goes_on.set()
    wait_until("they answer", lambda: isinstance(ask(engine, COLD[0])[0], Answer))


def test_a_description_ends_and_tells_what_is_known(engine: Engine, store: HangingStore) -> None:
    version = ask(engine, "known")[0].version
    store.goes_on.clear()
    start = time.monotonic()
    everything, some = engine.describe(), engine.describe(["known", *COLD])
    assert time.monotonic() - start < LONG_S
    assert everything.trouble
    for told in (everything, some):
        assert [one.version for one in told.tasks["known"].versions] == [version]
        assert told.tasks["known"].trouble
    assert all(some.tasks[task].trouble for task in COLD)


def test_a_description_of_a_store_that_is_slow_leaves_out_what_takes_too_long(
    engine: Engine, store: HangingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.versions
    monkeypatch.setattr(store, "versions", lambda task: time.sleep(0.1) or real(task))
    troubles = [task.trouble for task in engine.describe(COLD).tasks.values()]
    assert troubles[0] is None
    assert "too slow to tell of all tasks" in troubles[-1]


def test_a_stand_in_is_found_again_after_a_hang(
    engine: Engine, store: HangingStore, backbone
) -> None:
    before = ask(engine, COLD[0])[0].version
    bad = encode(make_adapter(COLD[0], seed=1, backbone=backbone.spec))
    store.publish(bad)
    (store.root / COLD[0] / "versions" / f"{version_of(bad)}.safetensors").write_bytes(b"damaged")
    real = store.record
    hangs = [True]

    def record(task: str):
        if hangs:
            hangs.clear()
            store.goes_on.wait(60)
        return real(task)

    store.goes_on.clear()
    store.record = record
    start = time.monotonic()
    ask(engine, COLD[0])
    assert time.monotonic() - start < LONG_S
    store.goes_on.set()
    wait_until("it answers", lambda: ask(engine, COLD[0])[0].version == before)


def test_a_named_version_answers_through_a_hang_and_not_once_it_is_removed(
    engine: Engine, store: HangingStore, backbone
) -> None:
    old = ask(engine, "known")[0].version
    store.publish(encode(make_adapter("known", seed=1, backbone=backbone.spec)))
    assert ask(engine, "known", version=old)[0].version == old
    store.goes_on.clear()
    time.sleep(0.1)  # longer than it is known to be held
    start = time.monotonic()
    assert all(ask(engine, "known", version=old)[0].version == old for _ in range(5))
    assert time.monotonic() - start < LONG_S
    store.goes_on.set()
    store.remove("known", old)
    wait_until(
        "it is gone", lambda: isinstance(ask(engine, "known", version=old)[0], VersionNotFound)
    )
