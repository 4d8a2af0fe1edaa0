"""A description tells every version's places."""

from collections.abc import Collection
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.inference import describe as describe_module
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.description import Description
from serving.inference.engine import Engine, Query
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes, tiny_backbone


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture
def source(tmp_path):
    return CachedStore(DirectoryStore(tmp_path / "store"), pointer_ttl_s=0.0)


@pytest.fixture
def engine(backbone, source):
    bank = AdapterBank(backbone, source, 1 << 20)
    engine = Engine(Core(CpuBackend(backbone), source, bank, pinned=["pets"]))
    yield engine
    engine.close()


def publish(source, backbone, task: str, seed: int, **options) -> str:
    data = encode(make_adapter(task, seed=seed, backbone=backbone.spec))
    source.publish(data, **options)
    return version_of(data)


def places(description: Description, task: str) -> dict[str, tuple[str, ...]]:
    return {one.version: one.places for one in description.tasks[task].versions}


def test_every_version_is_told_with_its_places(engine, source, backbone):
    old, new = (publish(source, backbone, "pets", seed) for seed in (1, 2))
    canary = publish(source, backbone, "pets", 3, canary=0.25)
    engine.predict([Query(image_bytes(0), "pets", version=new)])
    described = engine.describe()
    pointer = described.tasks["pets"].pointer
    assert (pointer.version, pointer.canary.version, pointer.canary.share) == (new, canary, 0.25)
    assert places(described, "pets") == {
        old: ("store",),
        new: ("host", "store"),
        canary: ("store",),
    }


def test_what_is_kept_here_or_there_is_told(engine, source, backbone):
    version = publish(source, backbone, "pets", 1)
    other = publish(source, backbone, "cars", 1)
    source.store.pin("cars", other)
    engine.predict([Query(image_bytes(i), task) for i, task in enumerate(("pets", "cars"))])
    tasks = engine.describe().tasks
    kept = {
        one.version: (one.never_evicted, one.never_deleted)
        for task in tasks.values()
        for one in task.versions
    }
    assert kept == {version: (True, False), other: (False, True)}


def test_the_bank_and_the_backbone_are_told(engine, source, backbone):
    publish(source, backbone, "cars", 1)
    engine.predict([Query(image_bytes(0), "cars")])
    described = engine.describe()
    assert described.backbone.weights_sha256 == backbone.spec.weights_sha256
    assert (described.backbone.device, described.backbone.dtype) == ("cpu", "float32")
    assert described.bank.adapters == 1
    assert 0 < described.bank.bytes < described.bank.budget_bytes == 1 << 20
    assert described.redis is None


def test_a_version_that_does_not_answer_is_told_with_the_reason(engine, source, backbone):
    publish(source, backbone, "pets", 1)
    bad = publish(source, backbone, "pets", 2)
    path = Path(source.store.root / "pets" / "versions" / f"{bad}.safetensors")
    path.write_bytes(b"damaged")
    engine.predict([Query(image_bytes(0), "pets")])
    trouble = {one.version: one.trouble for one in engine.describe().tasks["pets"].versions}
    assert [version for version, reason in trouble.items() if reason] == [bad]
    assert str(path) in trouble[bad]


def test_some_tasks_are_described_when_they_are_named(engine, source, backbone):
    for task in ("cars", "pets"):
        publish(source, backbone, task, 1)
    described = engine.describe(["pets", "nobody", "../../etc/passwd"])
    assert set(described.tasks) == {"pets", "nobody", "../../etc/passwd"}
    assert described.tasks["pets"].trouble is None
    for unknown in ("nobody", "../../etc/passwd"):
        assert described.tasks[unknown].trouble
        assert described.tasks[unknown].versions == ()


def test_a_long_list_is_cut_and_says_so(engine, source, backbone, monkeypatch):
    monkeypatch.setattr(describe_module, "MAX_TASKS", 2)
    for task in ("a", "b", "c"):
        publish(source, backbone, task, 1)
    described = engine.describe()
    assert (sorted(described.tasks), described.left_out) == (["a", "b"], 1)


def test_a_store_that_cannot_be_listed_leaves_what_is_on_the_device(engine, source, backbone):
    publish(source, backbone, "pets", 1)
    engine.predict([Query(image_bytes(0), "pets")])
    source.store.root.rename(source.store.root.with_name("away"))
    source.store.root.write_text("")
    described = engine.describe()
    assert list(described.tasks) == ["pets"]
    assert described.trouble
    ((_, where),) = places(described, "pets").items()
    assert where == ("host",)


class FakeCache:
    """Holds some artifacts, and counts how often it is asked."""

    def __init__(self, held: Collection[str]) -> None:
        self.held = frozenset(held)
        self.asked = 0

    def holding(self, versions: Collection[str]) -> frozenset[str]:
        self.asked += 1
        return self.held & frozenset(versions)


def test_redis_is_asked_once_for_all_tasks(source, backbone, monkeypatch):
    versions = [publish(source, backbone, task, 1) for task in ("cars", "pets")]
    bank = AdapterBank(backbone, source, 1 << 20)
    cache = FakeCache(versions[:1])
    monkeypatch.setattr(source, "current", lambda task, _: source.store.current(task))
    monkeypatch.setattr(source, "cache", cache)
    sights = describe_module._look(["cars", "pets"], source, bank)
    assert cache.asked == 1
    assert [sights[task].cached for task in ("cars", "pets")] == [{versions[0]}, set()]
