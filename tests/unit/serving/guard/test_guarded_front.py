"""From a request over the ASGI front to the end of a canary, by `spt guard`, within seconds."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from adapters.artifact.codec import short, version_of
from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.store.record import Pointer
from adapters.vit.adapter import encode
from serving.__main__ import main
from serving.cli.operating import guard as command
from serving.decoding.decoder import DecoderSettings
from serving.device.device import Device
from serving.device.local import LocalDevice
from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app, page_route
from serving.front.predict import Bounds
from serving.guard import counts
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.metrics.begin import begin_metrics
from serving.metrics.table import ROUTE
from serving.runtime.front_engine import FrontEngine
from serving.shadow import shadows
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.waiting import wait_until

BACKBONE = tiny_backbone()
SLOW_S = 0.05
ROWS = 40


class SlowForShallow(CpuBackend):
    """Takes long for shallow prompts, which the slow canary has."""

    def features(self, form, pixels, prompts):
        if form.shallow:
            time.sleep(SLOW_S)
        return super().features(form, pixels, prompts)


def artifact(task: str, seed: int, method: str = "spt-deep") -> bytes:
    return encode(make_adapter(task, seed=seed, method=method, backbone=BACKBONE.spec))


class Scene:
    """A service in this process, its store, and a guard that looks at it between its requests."""

    def __init__(self, folder: Path, http: TestClient, store: CachedStore) -> None:
        self.folder, self.http, self.store = folder, http, store
        self.statuses: list[int] = []
        self.versions: list[str] = []

    def ask(self, task: str = "pets", rows: int = ROWS) -> None:
        for i in range(rows):
            found = self.http.post(f"/spt/predict?task={task}", content=image_bytes(i))
            self.statuses.append(found.status_code)
            self.versions.append(found.json().get("version", ""))

    def guard(self, *words: str) -> int:
        """Run the command, with requests where it waits for the next look."""
        return main(["guard", "pets", "--store", str(self.store.store.root), *words])


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(shadows, "REST", 0.0)
    monkeypatch.delenv("REDIS_URL", raising=False)
    store = CachedStore(DirectoryStore(tmp_path / "store"), pointer_ttl_s=0.01)
    for task in ("pets", "dogs"):
        store.publish(artifact(task, 1))
    core = Core(SlowForShallow(BACKBONE), store, AdapterBank(BACKBONE, store, 1 << 20))
    local = LocalDevice(Device(core, max_batch=8, patience_s=60.0), core)
    engine = FrontEngine(local, DecoderSettings(threads=1), 60.0)
    vitals = Vitals(Heartbeat(None), engine.probe)
    app = build_app(
        engine, Admission(None, RateLimit()), vitals, Bounds(1 << 20, 1 << 24, threads=2)
    )
    metrics = begin_metrics(None)
    app.routes.append(page_route(ROUTE, metrics.page))
    with TestClient(app) as http:
        scene = Scene(tmp_path, http, store)
        monkeypatch.setattr(counts, "ask", lambda *_: http.get(ROUTE).content)
        monkeypatch.setattr(command, "sleep", lambda _: scene.ask())
        yield scene
    metrics.close()
    store.close()


def damaged(scene: Scene) -> str:
    data = artifact("pets", 2)
    scene.store.publish(data, canary=0.5)
    scene.store.store.files.artifact("pets", version_of(data)).write_bytes(b"damaged")
    return version_of(data)


def slow(scene: Scene) -> str:
    data = artifact("pets", 2, "spt-shallow")
    scene.store.publish(data, canary=0.5)
    return version_of(data)


@pytest.mark.parametrize("worse", [damaged, slow])
def test_a_canary_that_is_damaged_or_slow_is_ended_and_nobody_else_is_touched(
    scene: Scene, worse: Callable[[Scene], str], capsys: pytest.CaptureFixture[str]
) -> None:
    current = scene.store.current("pets").version
    dogs = scene.store.current("dogs")
    scene.ask("dogs")
    scene.ask()
    canary = worse(scene)
    assert scene.guard("--min-rows", "30") == 3
    out = capsys.readouterr().out.splitlines()
    assert len(out) >= 2
    assert out[-1].split(" ", 1)[1].startswith(f"pets: canary {short(canary)}: ")
    assert "ended: " in out[-1]
    found = scene.store.store.current("pets")
    assert found == Pointer(version=current, sequence=3)
    assert scene.store.store.log("pets")[-1].by.startswith("spt guard, ")
    scene.versions.clear()
    wait_until("the service has heard of it", lambda: scene.store.current("pets") == found)
    scene.ask()
    scene.ask("dogs")
    assert set(scene.statuses) == {200}
    assert set(scene.versions) == {current, dogs.version}
    assert scene.store.store.current("dogs") == dogs


def test_a_good_canary_is_promoted(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    data = artifact("pets", 3)
    scene.store.publish(data, canary=0.5)
    words = ("--min-rows", "30", "--for", "0.1s", "--promote", "--latency", "20", "--json")
    assert scene.guard(*words) == 0
    assert '"end": "passed"' in capsys.readouterr().out
    assert scene.store.store.current("pets").version == version_of(data)
    assert set(scene.statuses) == {200}


def test_a_shadow_that_always_fails_hurts_nobody_and_is_counted(scene: Scene) -> None:
    current = scene.store.current("pets").version
    data = artifact("pets", 2)
    scene.store.publish(data, shadow=1.0)
    scene.store.store.files.artifact("pets", version_of(data)).unlink()
    scene.ask()
    assert set(scene.statuses) == {200}
    assert set(scene.versions) == {current}
    name = f'task="pets",version="{short(version_of(data))}"'
    failed = f'spt_shadow_rows_total{{agreement="failed",{name}}} {ROWS}.0'
    wait_until("all copies have failed", lambda: failed in scene.http.get(ROUTE).text)


def test_wrong_words_are_refused_before_anything_is_watched(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("--promote",),
        ("--errors", "2"),
        ("--for", "ten"),
        ("--metrics", "ftp://somewhere"),
    ):
        with pytest.raises(SystemExit) as ended:
            scene.guard(*words)
        assert ended.value.code == 2
    assert "--errors: Input should be less than 1" in capsys.readouterr().err
    assert scene.guard() == 1
    assert "expected a canary" in capsys.readouterr().err
