"""A batch always ends, whatever its tasks' histories hold and however slow the store is."""

import os
import threading
import time

import pytest

from adapters.artifact.codec import version_of
from adapters.artifact.meta import AdapterMeta
from adapters.cache.cached_store import CachedStore
from adapters.cache.signed_source import ArtifactSource
from adapters.errors import ArtifactMismatch, SptError
from adapters.images.decode import decode_image
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.decoding.decoder import DecoderSettings
from serving.errors import DecodingTooSlow
from serving.forward import forward
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.inference.fallback import MOST_FOREIGN, Fallback
from serving.inference.seating import MAX_STAND_INS
from serving.protocol import Answer
from serving.rows.resident import AdapterKey
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.waiting import wait_until

PATIENCE_S = 0.5
SLOW_S = 20.0


class Reads(ArtifactSource):
    """A source of artifacts that counts what is read whole, and takes its time over some."""

    def __init__(self, source: CachedStore) -> None:
        self.source = source
        self.read_whole: list[AdapterKey] = []
        self.slow: set[str] = set()
        self.go_on = threading.Event()

    def read(self, task: str, version: str) -> bytes:
        self.read_whole.append(AdapterKey(task, version))
        if task in self.slow:
            self.go_on.wait(SLOW_S)
        return self.source.read(task, version)

    def describe(self, task: str, version: str) -> AdapterMeta:
        return self.source.describe(task, version)


class Scene:
    def __init__(self, root, backbone) -> None:
        self.backbone = backbone
        self.source = CachedStore(DirectoryStore(root))
        self.reads = Reads(self.source)
        self.bank = AdapterBank(backbone, self.reads, 1 << 20)
        self.engine = Engine(
            Core(CpuBackend(backbone), self.source, self.bank), patience_s=PATIENCE_S
        )

    def publish(self, task: str, seed: int = 0, *, foreign: bool = False) -> AdapterKey:
        spec = make_spec(name="another") if foreign else self.backbone.spec
        data = encode(make_adapter(task, seed=seed, backbone=spec))
        self.source.publish(data)
        return AdapterKey(task, version_of(data))

    def file(self, key: AdapterKey):
        return self.source.store.files.artifact(*key)

    def ask(self, *tasks: str):
        return self.engine.predict([Query(image_bytes(i), task) for i, task in enumerate(tasks)])

    def history(self, task: str, count: int, *, foreign: bool = False) -> list[AdapterKey]:
        return [self.publish(task, seed, foreign=foreign) for seed in range(count)]

    def searching(self, task: str) -> bool:
        return self.engine.core.lookup._fallback._troubles[task].search is not None


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def scene(tmp_path, backbone):
    scene = Scene(tmp_path / "store", backbone)
    yield scene
    scene.reads.go_on.set()
    scene.engine.close()


def seconds(act) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def test_tasks_of_another_backbone_with_long_histories_hold_nobody_up(scene):
    tasks = [f"foreign{i}" for i in range(4)]
    for task in tasks:
        scene.history(task, 60, foreign=True)
    scene.publish("good")
    good, *others = scene.ask("good", *tasks)
    assert isinstance(good, Answer)
    assert all(isinstance(other, ArtifactMismatch) for other in others)


def test_nobody_waits_for_the_whole_history_of_a_task_of_another_backbone(scene, monkeypatch):
    scene.history("foreign", 12, foreign=True)
    scene.publish("good")
    looked_at, go_on, describe = [], threading.Event(), scene.source.store.describe

    def stop_in_the_middle(task, version):
        looked_at.append(version)
        assert len(looked_at) < 8 or go_on.wait(SLOW_S)
        return describe(task, version)

    monkeypatch.setattr(scene.source.store, "describe", stop_in_the_middle)
    monkeypatch.setattr(scene.engine, "_patience_s", SLOW_S)
    began = time.monotonic()
    good, foreign = scene.ask("good", "foreign")
    took = time.monotonic() - began
    go_on.set()
    assert isinstance(good, Answer)
    assert isinstance(foreign, ArtifactMismatch)
    assert took < SLOW_S / 2


def test_what_may_stand_in_for_versions_of_another_backbone_is_not_waited_for(scene, monkeypatch):
    scene.history("foreign", 2, foreign=True)
    scene.publish("good")
    go_on, describe = threading.Event(), scene.source.store.describe

    def stop(task, version):
        assert go_on.wait(60)
        return describe(task, version)

    monkeypatch.setattr(scene.source.store, "describe", stop)
    monkeypatch.setattr(scene.engine, "_patience_s", SLOW_S)
    began = time.monotonic()
    good, foreign = scene.ask("good", "foreign")
    took = time.monotonic() - began
    go_on.set()
    assert isinstance(good, Answer)
    assert isinstance(foreign, ArtifactMismatch)
    assert took < SLOW_S / 2


def test_what_may_stand_in_for_many_tasks_of_another_backbone_is_looked_for_later(
    scene, monkeypatch
):
    """Their batch waits for none of it, and its first moments are the forwards'."""
    monkeypatch.setattr("serving.inference.fallback.FOREIGN_S", SLOW_S)
    monkeypatch.setattr("serving.inference.stand_ins.BREATH_S", 3 * SLOW_S)
    monkeypatch.setattr(scene.engine, "_patience_s", SLOW_S)
    tasks = [f"foreign{i}" for i in range(MOST_FOREIGN + 1)]
    for task in tasks:
        scene.history(task, 3, foreign=True)
    described, describe = [], scene.source.store.describe

    def note(task, version):
        described.append(task)
        return describe(task, version)

    monkeypatch.setattr(scene.source.store, "describe", note)
    took = seconds(lambda: scene.ask(*tasks))
    assert not described
    assert all(map(scene.searching, tasks))
    assert took < SLOW_S / 2


def test_a_known_task_is_computed_before_its_batch_waits_for_an_unknown_one(scene, monkeypatch):
    scene.publish("good")
    scene.publish("unknown")
    scene.source.watch()
    scene.ask("good")
    computed = threading.Event()
    current, launch_now = scene.source.store.current, forward.launch

    def slow(task):
        assert task != "unknown" or computed.wait(SLOW_S)
        return current(task)

    def launch(*args):
        found = launch_now(*args)
        computed.set()
        return found

    monkeypatch.setattr(scene.source.store, "current", slow)
    monkeypatch.setattr("serving.inference.engine.launch", launch)
    monkeypatch.setattr("serving.inference.seating.LOOK_UP_S", SLOW_S / 2)
    good, unknown = scene.ask("good", "unknown")
    assert isinstance(good, Answer)
    assert isinstance(unknown, Answer)


def test_a_search_that_nobody_waits_for_keeps_none_that_somebody_does(scene, monkeypatch):
    monkeypatch.setattr("serving.inference.stand_ins.BREATH_S", 3 * SLOW_S)
    monkeypatch.setattr(scene.engine, "_patience_s", SLOW_S)
    scene.history("foreign", 12, foreign=True)
    before = scene.publish("task", 1)
    scene.file(scene.publish("task", 2)).write_bytes(b"cut")
    scene.ask("foreign")
    (answer,) = scene.ask("task")
    assert answer.version == before.version
    assert scene.searching("foreign")


def test_of_a_task_of_another_backbone_one_version_is_read_whole_and_it_is_not_tried_again(scene):
    keys = scene.history("foreign", 30, foreign=True)
    scene.ask("foreign")
    wait_until("the whole history was looked at", lambda: not scene.searching("foreign"))
    for _ in range(5):
        (outcome,) = scene.ask("foreign")
        assert isinstance(outcome, ArtifactMismatch)
    assert scene.reads.read_whole == [keys[-1]]


def test_behind_foreign_versions_the_one_that_fits_answers(scene, monkeypatch):
    monkeypatch.setattr("serving.inference.fallback.FOREIGN_S", 60.0)
    monkeypatch.setattr(scene.engine, "_patience_s", 60.0)
    own = scene.publish("mixed")
    for seed in range(3):
        scene.publish("mixed", seed, foreign=True)
    (answer,) = scene.ask("mixed")
    assert answer.version == own.version


def test_a_batch_waits_once_for_all_that_is_slow(scene):
    """Its own version, then what stands in: together no longer than one patience."""
    scene.publish("good")
    scene.ask("good")
    slow = [f"slow{i}" for i in range(3)]
    for task in slow:
        keys = [scene.publish(task, seed) for seed in range(4)]
        scene.file(keys[-1]).write_bytes(b"cut")
        scene.reads.slow.add(task)
    took = seconds(lambda: scene.ask("good", *slow))
    assert took < SLOW_S / 2


def test_no_version_is_tried_twice_for_one_batch(scene):
    keys = scene.history("broken", 12)
    for key in keys:
        scene.file(key).write_bytes(b"cut")
    scene.ask(*["broken"] * 3)
    wait_until("the whole history was looked at", lambda: not scene.searching("broken"))
    assert sorted(scene.reads.read_whole) == sorted(keys)


def test_a_row_tries_few_stand_ins_and_the_search_goes_on_without_it(scene, monkeypatch):
    keys = [scene.publish("task", seed) for seed in range(6)]
    fallback = scene.engine.core.lookup._fallback
    tried = []

    def always_another(failed, _deadline):
        (key,) = failed
        tried.append(key)
        scene.file(keys[-1 - len(tried)]).write_bytes(b"cut")
        return {key: keys[-1 - len(tried)]}

    monkeypatch.setattr(fallback, "instead_of", always_another)
    scene.file(keys[-1]).write_bytes(b"cut")
    (outcome,) = scene.ask("task")
    assert isinstance(outcome, SptError)
    assert len(tried) == MAX_STAND_INS


def test_two_versions_never_stand_in_for_each_other(backbone, tmp_path):
    """A fails and B answers; A is back; B is evicted and fails and A answers; A is evicted."""
    scene = Scene(tmp_path / "store", backbone)
    a, b = scene.publish("task", 1), scene.publish("task", 2)
    now = [0.0]
    fallback = Fallback(scene.source, scene.bank, lambda: now[0])
    scene.engine.core.lookup._fallback = fallback
    whole = {key: scene.file(key).read_bytes() for key in (a, b)}
    scene.file(b).write_bytes(b"cut")
    (answer,) = scene.ask("task")
    assert answer.version == a.version
    scene.file(b).write_bytes(whole[b])
    now[0] += 10
    (answer,) = scene.ask("task")
    assert answer.version == b.version
    scene.bank.make_room()
    scene.file(a).write_bytes(b"cut")
    scene.file(b).write_bytes(b"cut")
    outcomes = []
    took = seconds(lambda: outcomes.extend(scene.ask("task") + scene.ask("task")))
    assert all(isinstance(outcome, SptError) for outcome in outcomes)
    assert took < 2.0
    scene.engine.close()
    fallback.close()


def test_a_row_whose_image_takes_too_long_is_refused_alone(backbone, tmp_path, monkeypatch):
    scene = Scene(tmp_path / "store", backbone)
    scene.publish("good")
    settings = DecoderSettings(threads=2, patience_s=0.5)
    engine = Engine(Core(CpuBackend(backbone), scene.source, scene.bank), decoding=settings)
    slow, go_on = image_bytes(99), threading.Event()

    def decode(data, *args):
        if data is slow:
            go_on.wait(SLOW_S)
        return decode_image(data, *args)

    monkeypatch.setattr("adapters.images.crop.decode_image", decode)
    images = [slow, image_bytes(0), slow, image_bytes(1)]
    refused, answer, refused_too, another = engine.predict([Query(one, "good") for one in images])
    go_on.set()
    assert isinstance(answer, Answer)
    assert isinstance(another, Answer)
    assert isinstance(refused, DecodingTooSlow)
    assert isinstance(refused_too, DecodingTooSlow)
    engine.close()
    scene.engine.close()


def test_images_that_take_all_of_a_batchs_patience_leave_time_to_find_what_stands_in(
    scene, monkeypatch
):
    scene.publish("good")
    scene.ask("good")
    before = scene.publish("task", 1)
    scene.file(scene.publish("task", 2)).write_bytes(b"cut")

    def decode(*args):
        time.sleep(2 * PATIENCE_S)
        return decode_image(*args)

    monkeypatch.setattr("adapters.images.crop.decode_image", decode)
    monkeypatch.setattr("serving.inference.seating.SEARCH_S", 30.0)
    good, stood_in_for = scene.ask("good", "task")
    assert isinstance(good, Answer)
    assert stood_in_for.version == before.version
