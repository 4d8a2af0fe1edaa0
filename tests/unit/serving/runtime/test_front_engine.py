"""Fronts and the device answer as the engine in one process does, and survive each other."""

import gc
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapters.cache.cached_store import CachedStore
from adapters.errors import BadImage
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.decoding.decoder import DecoderSettings
from serving.device.device import Device
from serving.device.server import DeviceServer
from serving.errors import DeviceAway, Refused
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine
from serving.protocol import Answer
from serving.rows.query import LABELS_ALONE, Extras, Query
from serving.runtime import device_client
from serving.runtime.device_client import DeviceClient
from serving.runtime.front_engine import FrontEngine
from serving.runtime.link import Link
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.waiting import wait_until

TASKS = 6
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone(dtype=torch.float64)


@pytest.fixture(scope="module")
def source(backbone, tmp_path_factory):
    store = CachedStore(DirectoryStore(tmp_path_factory.mktemp("store")))
    for i in range(TASKS):
        method = ("spt-deep", "linear", "spt-shallow")[i % 3]
        adapter = make_adapter(
            f"task{i}", classes=2 + i, seed=i, backbone=backbone.spec, method=method
        )
        store.publish(encode(adapter))
    yield store
    store.close()


class Scene:
    """A device process, in threads of this one."""

    def __init__(self, folder, backbone, source):
        self.folder = folder
        self.core = Core(CpuBackend(backbone), source, AdapterBank(backbone, source, 1 << 20))
        self.device = Device(self.core, max_batch=8, patience_s=PATIENCE_S, end=lambda _: None)
        self.server = DeviceServer(self.device, self.core, folder, self.core.probe)
        threading.Thread(target=self.server.serve, daemon=True).start()

    def front(self):
        client = DeviceClient(self.folder, PATIENCE_S)
        return FrontEngine(client, DecoderSettings(threads=2), PATIENCE_S)

    def close(self):
        self.server.close()
        self.device.close()
        self.core.close()


@pytest.fixture
def scene(tmp_path, backbone, source):
    scene = Scene(tmp_path, backbone, source)
    yield scene
    scene.close()


@pytest.fixture
def front(scene):
    front = scene.front()
    yield front
    front.close()


def some_queries(rows: int) -> list[Query]:
    return [Query(image_bytes(i // 2), f"task{i % TASKS}", top_k=3) for i in range(rows)]


@pytest.fixture(scope="module")
def expected(backbone, source):
    core = Core(CpuBackend(backbone), source, AdapterBank(backbone, source, 1 << 20))
    engine = Engine(core)
    yield engine.predict
    engine.close()


def approx(outcome: Answer):
    scores = [(p.label, pytest.approx(p.score, abs=1e-12)) for p in outcome.predictions]
    return outcome.task, outcome.version, scores


def told(outcome: Answer):
    return outcome.task, outcome.version, [(p.label, p.score) for p in outcome.predictions]


def test_a_front_answers_as_one_process_does(front, expected):
    queries = some_queries(20)
    for found, known in zip(front.predict(queries), expected(queries), strict=True):
        assert told(found) == approx(known)


def test_a_front_is_told_where_the_model_looks_by_who_owns_the_device(front, expected):
    asked = Extras(attention_bytes=1000, encoding="list")
    queries = [
        replace(query, extras=asked if i % 2 else LABELS_ALONE)
        for i, query in enumerate(some_queries(12))
    ]
    for i, (found, known) in enumerate(zip(front.predict(queries), expected(queries), strict=True)):
        assert told(found) == approx(known)
        assert (found.attention is not None) == bool(i % 2)
        if known.attention is not None:
            assert found.attention.values == pytest.approx(known.attention.values, abs=1e-9)


def test_a_front_meets_the_canaries_that_one_process_does(front, expected, source, backbone):
    for seed in range(2):
        adapter = make_adapter("canaried", seed=seed, backbone=backbone.spec)
        source.publish(encode(adapter), canary=0.5 if seed else None)
    queries = [Query(image_bytes(i), task) for i in range(16) for task in ("canaried", "task0")]
    known = [one.version for one in expected(queries)]
    assert len(set(known)) == 3
    for _ in range(2):
        assert [one.version for one in front.predict(queries)] == known


def test_no_image_is_read_where_there_is_no_canary(front, monkeypatch):
    monkeypatch.setattr(device_client, "digest_of", lambda _: 1 / 0)
    assert all(isinstance(one, Answer) for one in front.predict(some_queries(4)))


def test_many_calls_of_many_fronts_are_in_flight(scene, expected):
    queries = some_queries(8)
    known = expected(queries)
    fronts = [scene.front() for _ in range(3)]
    found = {}

    def ask(place, front):
        found[place] = front.predict(queries)

    threads = [threading.Thread(target=ask, args=(i, fronts[i % 3])) for i in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcomes in found.values():
        assert [told(one) for one in outcomes] == [approx(one) for one in known]
    for front in fronts:
        front.close()


def test_one_bad_row_of_each_kind_leaves_the_others_untouched(front):
    bad = [
        Query(b"no image", "task0"),
        Query(image_bytes(0), "nobody"),
        Query(image_bytes(0), "task0", version="0" * 64),
    ]
    good = some_queries(3)
    first, second, third, *others = front.predict([*bad, *good])
    assert isinstance(first, BadImage)
    assert (second.body.code, third.body.code) == ("task_not_found", "version_not_found")
    assert all(isinstance(one, Answer) for one in others)


def test_slots_and_leases_come_back(scene, front):
    for _ in range(5):
        front.predict([*some_queries(12), Query(b"no image", "task1")])
    slots = front._device._connection._slots
    assert slots.num_free == 128
    assert not scene.core.bank._leases
    assert not scene.device._calls


def test_a_front_that_ends_takes_its_rows_with_it(scene, backbone, expected):
    go_on, computing = threading.Event(), threading.Event()
    held = scene.device.run(lambda: (computing.set(), go_on.wait(PATIENCE_S)))
    assert computing.wait(PATIENCE_S)
    lost = scene.front()
    outcomes = []
    asking = threading.Thread(target=lambda: outcomes.extend(lost.predict(some_queries(4))))
    asking.start()
    wait_until("its rows wait", lambda: len(scene.device._waiting) == 4)
    lost.close()
    asking.join()
    assert all(isinstance(one, DeviceAway) for one in outcomes)
    wait_until("its rows are dropped", lambda: len(scene.device._waiting) == 0)
    wait_until("its adapters are let go", lambda: not scene.core.bank._leases)
    go_on.set()
    held.result(PATIENCE_S)
    other = scene.front()
    assert all(isinstance(one, Answer) for one in other.predict(some_queries(4)))
    other.close()


def test_a_device_process_that_ends_costs_its_rows_alone(tmp_path, backbone, source):
    first = Scene(tmp_path, backbone, source)
    front = first.front()
    assert isinstance(front.predict(some_queries(1))[0], Answer)
    go_on, computing = threading.Event(), threading.Event()
    first.device.run(lambda: (computing.set(), go_on.wait(PATIENCE_S)))
    assert computing.wait(PATIENCE_S)
    outcomes = []
    asking = threading.Thread(target=lambda: outcomes.extend(front.predict(some_queries(3))))
    asking.start()
    wait_until("its rows wait", lambda: len(first.device._waiting) == 3)
    first.server.close()
    asking.join()
    assert [type(one) for one in outcomes] == [DeviceAway] * 3
    assert outcomes[0].retry_after_s > 0
    go_on.set()
    second = Scene(tmp_path, backbone, source)
    assert all(isinstance(one, Answer) for one in front.predict(some_queries(3)))
    front.close()
    first.close()
    second.close()


def test_without_a_device_process_rows_are_told_to_ask_again(tmp_path):
    front = FrontEngine(DeviceClient(tmp_path, 0.0), DecoderSettings(threads=1), 0.0)
    (outcome,) = front.predict(some_queries(1))
    assert isinstance(outcome, DeviceAway)
    front.close()


def test_probes_and_descriptions_come_through_the_device(scene, front, monkeypatch):
    front.probe()
    assert set(front.describe(["task0", "nobody"]).tasks) == {"task0", "nobody"}
    monkeypatch.setattr(scene.core.backend, "features", lambda *_: 1 / 0)
    with pytest.raises(Refused, match="log says why"):
        front.probe()


def test_the_socket_is_for_its_owner_alone(scene):
    assert (scene.folder / "device.sock").stat().st_mode & 0o077 == 0


def test_connections_that_have_ended_leave_no_file_open(tmp_path, backbone, source):
    front = FrontEngine(DeviceClient(tmp_path, PATIENCE_S), DecoderSettings(threads=1), PATIENCE_S)

    def open_slots():
        return sum("spt-slots" in str(path.resolve()) for path in Path("/proc/self/fd").iterdir())

    def ask_another_device():
        scene = Scene(tmp_path, backbone, source)
        assert isinstance(front.predict(some_queries(1))[0], Answer)
        scene.close()
        wait_until("its end is known", lambda: front._device._connection is None)
        gc.collect()

    ask_another_device()
    before = open_slots()
    for _ in range(3):
        ask_another_device()
    assert open_slots() <= before
    front.close()


def test_a_front_that_reads_nothing_keeps_no_other_waiting(scene, front, monkeypatch):
    go_on, stuck = threading.Event(), threading.Event()
    idle, real = scene.front(), Link.send

    def send(link, message):
        if b'"kind":"outcomes"' in message and not stuck.is_set():
            stuck.set()
            go_on.wait(PATIENCE_S)
        real(link, message)

    monkeypatch.setattr(Link, "send", send)
    found = []
    asking = threading.Thread(target=lambda: found.extend(idle.predict(some_queries(1))))
    asking.start()
    assert stuck.wait(PATIENCE_S)
    assert isinstance(front.predict(some_queries(1))[0], Answer)
    go_on.set()
    asking.join()
    assert isinstance(found[0], Answer)
    idle.close()
