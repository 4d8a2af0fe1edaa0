"""Each metric moves by what should move it, in an app whose engine is real."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.ports import free_ports
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.decoding.decoder import DecoderSettings
from serving.device.local import LocalDevice
from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app, page_route
from serving.front.predict import Bounds
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.state import Memory
from serving.metrics.metrics import Metrics
from serving.metrics.sampler import Sampler
from serving.metrics.series import Series
from serving.metrics.table import METRICS, ROUTE
from serving.observing.observer import Served, Span
from serving.observing.observers import OBSERVERS
from serving.protocol import Answer
from serving.rows.query import Query
from serving.runtime.front_engine import FrontEngine
from tests.fakes.artifacts import make_adapter
from tests.fakes.counting import state
from tests.fakes.exposed import Told, names_in, told_in
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.tiny_device import TinyDevice
from tests.fakes.waiting import wait_until

IMAGE = image_bytes(0)
ON_CUDA = {"spt_device_memory_bytes"}
WITH_REDIS = {"spt_redis_up"}


class Scene:
    """An app over a device with two tasks, and all that it tells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device = TinyDevice(folder)
        self.core = self.device.core
        local = LocalDevice(self.device.device, self.core)
        engine = FrontEngine(local, DecoderSettings(threads=1), 60.0)
        self.vitals = Vitals(Heartbeat(None), engine.probe, end=lambda _: None)
        admission = Admission(None, RateLimit())
        app = build_app(engine, admission, self.vitals, Bounds(10_000, 1 << 20, 4))
        self.metrics = Metrics(None)
        OBSERVERS.add(self.metrics.observer)
        self.metrics.own_device(self.core.state)
        self.metrics.tell_health(self.vitals, lambda: False)
        app.routes.append(page_route(ROUTE, self.metrics.page))
        self.http = TestClient(app)

    @property
    def store(self) -> CachedStore:
        return self.core._source

    def ask(self, query: str = "task=task0", body: bytes = IMAGE, times: int = 1) -> None:
        for _ in range(times):
            self.http.post(f"/spt/predict?{query}", content=body)

    def told(self) -> Told:
        answer = self.http.get(ROUTE)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return told_in(answer.content)

    def publish(self, seed: int, *, canary: float | None = None, damaged: bool = False) -> None:
        adapter = make_adapter("task0", seed=seed, backbone=tiny_backbone().spec)
        pointer = self.store.publish(encode(adapter), canary=canary)
        version = pointer.version if pointer.canary is None else pointer.canary.version
        if damaged:
            (path,) = (self.folder / "store").rglob(f"{version}*.safetensors")
            path.write_bytes(b"damaged")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    with scene.http:
        yield scene
    scene.device.server.close()
    scene.metrics.close()
    assert not OBSERVERS


def ask_a_bad_canary(scene: Scene) -> None:
    scene.publish(7, canary=0.99, damaged=True)
    scene.ask(times=3)


def ask_a_canary(scene: Scene) -> None:
    scene.publish(7, canary=0.99)
    scene.ask(times=3)


def ask_what_cannot_be_loaded(scene: Scene) -> None:
    scene.ask()
    scene.publish(7, damaged=True)
    scene.ask(times=2)


def lose_the_device(scene: Scene) -> None:
    scene.vitals._is_ending = True


def evict(scene: Scene) -> None:
    scene.ask("task=task0,task1")
    scene.core.bank.make_room()


CASES: dict[str, tuple[Callable[[Scene], None], dict[str, float]]] = {
    "an answer": (
        Scene.ask,
        {
            'spt_requests_total{status="200"}': 1,
            "spt_request_seconds_count": 1,
            'spt_rows_total{code="ok"}': 1,
            'spt_phase_seconds_count{phase="queue"}': 2,
            'spt_phase_seconds_count{phase="decode"}': 1,
            'spt_phase_seconds_count{phase="lookup"}': 1,
            'spt_phase_seconds_count{phase="load"}': 1,
            'spt_phase_seconds_count{phase="forward"}': 1,
            'spt_phase_seconds_count{phase="answer"}': 1,
            "spt_batch_rows_count": 1,
            "spt_batch_rows_sum": 1,
            "spt_batch_tasks_sum": 1,
            "spt_bank_misses_total": 1,
            "spt_bank_adapters": 1,
            "spt_versions_served": 1,
            "spt_adapter_load_seconds_count": 1,
        },
    ),
    "a warm answer": (
        lambda scene: scene.ask(times=2),
        {
            "spt_bank_hits_total": 1,
            "spt_bank_misses_total": 1,
            'spt_phase_seconds_count{phase="load"}': 1,
            'spt_phase_seconds_count{phase="forward"}': 2,
        },
    ),
    "two tasks of one image": (
        lambda scene: scene.ask("task=task0,task1"),
        {
            'spt_requests_total{status="200"}': 1,
            'spt_rows_total{code="ok"}': 2,
            "spt_batch_rows_sum": 2,
            "spt_batch_tasks_sum": 2,
            "spt_bank_adapters": 2,
        },
    ),
    "no image": (
        lambda scene: scene.ask(body=b"no image"),
        {
            'spt_requests_total{status="400"}': 1,
            'spt_rows_total{code="bad_image"}': 1,
            'spt_refusals_total{code="bad_image"}': 0,
            "spt_batch_rows_count": 0,
        },
    ),
    "no such task": (
        lambda scene: scene.ask("task=nobody"),
        {
            'spt_requests_total{status="404"}': 1,
            'spt_rows_total{code="task_not_found"}': 1,
            'spt_rows_total{code="ok"}': 0,
        },
    ),
    "a call that is refused": (
        lambda scene: scene.ask("task=task0&top_k=0"),
        {
            'spt_requests_total{status="400"}': 1,
            'spt_refusals_total{code="bad_parameter"}': 1,
            'spt_phase_seconds_count{phase="lookup"}': 0,
        },
    ),
    "a body that is too large": (
        lambda scene: scene.ask(body=b"x" * 10_001),
        {
            'spt_requests_total{status="413"}': 1,
            'spt_refusals_total{code="image_too_large"}': 1,
        },
    ),
    "adapters that have to go": (
        evict,
        {"spt_bank_evictions_total": 2, "spt_bank_adapters": 0, "spt_versions_served": 0},
    ),
    "a version that another one stands in for": (
        ask_what_cannot_be_loaded,
        {"spt_stand_ins": 1, 'spt_rows_total{code="ok"}': 3, "spt_adapter_load_seconds_count": 1},
    ),
    "a device that is lost": (lose_the_device, {"spt_ready": -1}),
    "nothing": (lambda _: None, {"spt_queue_rows": 0, "spt_bank_bytes": 0}),
}


@pytest.mark.parametrize(("act", "changes"), CASES.values(), ids=CASES.keys())
def test_each_metric_moves_by_what_should_move_it(
    scene: Scene, act: Callable[[Scene], None], changes: dict[str, float]
) -> None:
    before = scene.told()
    act(scene)
    after = scene.told()
    assert {name: after[name] - before[name] for name in changes} == changes


def test_the_names_are_those_of_the_table(scene: Scene) -> None:
    ask_a_canary(scene)
    assert names_in(scene.metrics.text()) == METRICS.keys() - ON_CUDA - WITH_REDIS


def test_bytes_and_seconds_are_told_as_they_are(scene: Scene) -> None:
    scene.ask()
    told = scene.told()
    assert told["spt_bank_bytes"] == scene.core.bank.num_bytes > 0
    assert told["spt_bank_limit_bytes"] == scene.core.bank.budget_bytes
    assert 0 < told['spt_phase_seconds_sum{phase="forward"}'] < told["spt_request_seconds_sum"]
    assert 0 <= told["spt_heartbeat_age_seconds"] < 60
    assert told["spt_store_up"] == told["spt_ready"] == 1


def test_rows_of_a_canary_are_told_by_version(scene: Scene) -> None:
    ask_a_canary(scene)
    canary = scene.store.current("task0").canary
    assert canary is not None
    labels = f'role="canary",task="task0",version="{canary.version[:12]}"'
    told = scene.told()
    assert told[f'spt_version_rows_total{{outcome="ok",{labels}}}'] == 3
    assert told[f"spt_version_seconds_count{{{labels}}}"] == 3


def test_rows_that_a_bad_canary_should_have_answered_are_its_errors(scene: Scene) -> None:
    ask_a_bad_canary(scene)
    told = scene.told()
    of_canary = {s: v for s, v in told.items() if "version_rows" in s and 'role="canary"' in s}
    assert sum(of_canary.values()) == 3
    assert all('outcome="adapter_damaged"' in series for series in of_canary)
    assert told['spt_rows_total{code="ok"}'] == 3


def test_rows_that_wait_for_the_device_are_told(scene: Scene) -> None:
    scene.ask()
    may_go_on = threading.Event()
    held = scene.device.device.run(lambda: may_go_on.wait(60))
    asking = threading.Thread(target=scene.ask)
    asking.start()
    try:
        wait_until("a row waits", lambda: scene.told()["spt_queue_rows"] == 1)
    finally:
        may_go_on.set()
        asking.join()
    held.result(60)
    assert scene.told()["spt_queue_rows"] == 0


def test_a_store_that_is_away_is_told_and_so_is_its_return(scene: Scene) -> None:
    scene.store.watch()
    root = scene.folder / "store"
    wait_until("it is up", lambda: scene.told()["spt_store_up"] == 1)
    root.rename(scene.folder / "elsewhere")
    wait_until("it is away", lambda: scene.told()["spt_store_up"] == 0)
    (scene.folder / "elsewhere").rename(root)
    wait_until("it is back", lambda: scene.told()["spt_store_up"] == 1)
    scene.store.close()


def test_a_redis_that_is_down_is_told(scene: Scene, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    cache = AdapterCache.from_url(f"redis://127.0.0.1:{port}")
    source = CachedStore(DirectoryStore(tmp_path / "store"), cache)
    backbone = scene.core.backend.backbone
    core = Core(scene.core.backend, source, AdapterBank(backbone, source, 1 << 20))
    metrics = Metrics(None)
    metrics.own_device(core.state)
    up = told_in(metrics.text())
    assert (up["spt_redis_up"], up["spt_redis_failures_total"]) == (1, 0)
    adapter = make_adapter("task1", seed=9, backbone=backbone.spec)
    source.publish(encode(adapter))
    down = told_in(metrics.text())
    assert down["spt_redis_up"] == 0
    assert down["spt_redis_failures_total"] >= 1
    metrics.close()
    core.close()
    source.close()


def test_memory_of_a_device_is_told_by_kind() -> None:
    metrics = Metrics(None)
    metrics.own_device(lambda: state()._replace(memory=Memory(used=3, total=8)))
    told = told_in(metrics.text())
    metrics.close()
    assert told['spt_device_memory_bytes{kind="used"}'] == 3
    assert told['spt_device_memory_bytes{kind="total"}'] == 8
    assert told['spt_info{backbone="tiny",backend="torch",precision="float32",version="1"}'] == 1


def test_a_hundred_thousand_tasks_make_no_more_series(scene: Scene) -> None:
    """A caller decides how tasks are called, and a version may be anything."""

    answer = Answer(task="any", version="0" * 64, predictions=())

    def serve_some(numbers: range) -> None:
        queries, now = [Query(b"", f"task-{i}") for i in numbers], time.monotonic()
        OBSERVERS.answered(now, queries, [answer] * len(queries))
        OBSERVERS.phase("forward", now, queries)
        OBSERVERS.served(
            Served(query, f"{i:064x}", "canary", answer, Span(now, now))
            for i, query in zip(numbers, queries, strict=True)
        )

    serve_some(range(10_000))
    first = scene.told()
    for begin in range(10_000, 100_000, 10_000):
        serve_some(range(begin, begin + 10_000))
    last = scene.told()
    assert len(last) == len(first) < 2000
    assert last['spt_rows_total{code="ok"}'] == 100_000
    assert first.keys() - last.keys() == {series for series in first if "spt_version_" in series}


def test_a_state_that_cannot_be_read_is_logged_once_and_read_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.metrics.sampler.EVERY_S", 0.01)
    asked = []

    def broken():
        asked.append(None)
        raise RuntimeError("no state")

    sampler = Sampler(Series(None), broken)
    sampler.start()
    wait_until("it is asked again", lambda: len(asked) > 3)
    sampler.close()
    assert caplog.text.count("the metrics of the device cannot be read") == 1


def test_a_page_whose_files_are_gone_is_503(scene: Scene) -> None:
    def gone() -> bytes:
        raise FileNotFoundError("the service is stopping")

    page = scene.metrics.page._replace(text=gone)
    scene.http.app.routes.append(page_route("/gone", page))
    assert scene.http.get("/gone").status_code == 503
