"""A shadow computes copies of its task's rows and hurts nobody, in every layout of processes."""

from collections.abc import Iterator, Sequence

import pytest

from adapters.artifact.codec import version_of
from adapters.vit.adapter import encode
from serving.observing.observer import Agreement, Observer, Served
from serving.observing.observers import OBSERVERS
from serving.protocol import Answer
from serving.rows.query import Query
from serving.rows.resident import AdapterKey
from serving.shadow import shadows
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.tiny_device import LAYOUTS, TinyDevice, engine_in
from tests.fakes.waiting import wait_until

SPEC = tiny_backbone().spec
ROWS = 12


class Hearer(Observer):
    """Notes what it is told of shadows."""

    def __init__(self) -> None:
        self.agreements: list[tuple[str, Agreement]] = []
        self.served_by: list[Served] = []

    def shadowed(self, task: str, version: str, agreement: Agreement, rows: int) -> None:
        self.agreements += [(version, agreement)] * rows

    def served(self, rows: Sequence[Served]) -> None:
        self.served_by += rows


@pytest.fixture
def hearer() -> Iterator[Hearer]:
    hearer = Hearer()
    with OBSERVERS.hearing(hearer):
        yield hearer


@pytest.fixture
def device(tmp_path, monkeypatch):
    monkeypatch.setattr(shadows, "REST", 0.0)
    device = TinyDevice(tmp_path)
    yield device
    device.close()


@pytest.fixture(params=LAYOUTS)
def engine(request, tmp_path, device):
    engine = engine_in(request.param, tmp_path, device)
    yield engine
    engine.close()


def put_shadow(device, share: float = 1.0, *, seed: int = 7) -> str:
    """Publish a shadow of task0 whose tensors are those of a seed, and return its version."""
    data = encode(make_adapter("task0", seed=seed, metrics={"other": 1.0}, backbone=SPEC))
    device.core._source.publish(data, shadow=share)
    return version_of(data)


def counts(device, version: str) -> dict[str, int]:
    found = device.core.describe(["task0"]).tasks["task0"].versions
    (one,) = (one for one in found if one.version == version)
    return {} if one.shadow is None else one.shadow.rows


def counted(device, version: str, rows: int) -> dict[str, int]:
    """Wait until so many copies were dealt with; return them by agreement."""
    wait_until(
        f"{rows} copies were dealt with", lambda: sum(counts(device, version).values()) >= rows
    )
    return counts(device, version)


def ask(engine, tasks: Sequence[str] = ("task0", "task1")) -> list[Query]:
    queries = [Query(image_bytes(i), tasks[i % len(tasks)]) for i in range(ROWS)]
    for outcome in engine.predict(queries):
        assert isinstance(outcome, Answer)
    return queries


def test_a_shadow_computes_a_copy_of_each_row_of_its_task_and_of_no_other(engine, device, hearer):
    current = device.core._source.current("task0").version
    shadow = put_shadow(device, seed=0)  # the same tensors as the current one
    ask(engine)
    assert counted(device, shadow, ROWS // 2) == {"same": ROWS // 2}
    assert hearer.agreements == [(shadow, "same")] * (ROWS // 2)
    roles = [(one.version, one.role, type(one.outcome)) for one in hearer.served_by]
    assert sorted(roles, key=str) == sorted(
        [(current, "current", Answer), (shadow, "shadow", Answer)] * (ROWS // 2), key=str
    )
    asked_by_name = Query(image_bytes(0), "task0", version=current)
    (answer,) = engine.predict([asked_by_name])
    assert answer.version == current
    ask(engine, ["task0"])
    assert counted(device, shadow, ROWS + ROWS // 2) == {"same": ROWS + ROWS // 2}


def test_the_share_of_a_shadow_is_drawn_by_the_picture(engine, device, monkeypatch):
    drawn, real = [], shadows.copy_of
    monkeypatch.setattr(shadows, "copy_of", lambda row, key: drawn.append(key) or real(row, key))
    shadow = put_shadow(device, 0.5, seed=0)
    ask(engine, ["task0"])
    ask(engine, ["task1"])  # answered after all rows before it were offered
    first = len(drawn)
    assert 0 < first < ROWS
    ask(engine, ["task0"])
    assert counted(device, shadow, 2 * first) == {"same": 2 * first}


def test_a_shadow_that_says_something_else_is_told_apart_and_changes_no_answer(engine, device):
    queries = [Query(image_bytes(i), "task0", top_k=3) for i in range(ROWS)]
    before = engine.predict(queries)
    shadow = put_shadow(device)
    assert engine.predict(queries) == before
    found = counted(device, shadow, ROWS)
    assert sum(found.values()) == ROWS
    assert found["other"] > 0


@pytest.mark.parametrize("damage", ["is damaged", "is another backbone's", "has gone"])
def test_a_shadow_that_cannot_be_loaded_hurts_nobody(engine, device, hearer, tmp_path, damage):
    spec = SPEC.model_copy(update={"weights_sha256": "0" * 64})
    adapter = make_adapter("task0", backbone=spec if damage == "is another backbone's" else SPEC)
    data = encode(adapter if damage == "is another backbone's" else make_adapter("task0", seed=9))
    device.core._source.publish(data, shadow=1.0)
    (path,) = (tmp_path / "store").rglob(f"{version_of(data)}*.safetensors")
    if damage == "is damaged":
        path.write_bytes(b"damaged")
    elif damage == "has gone":
        path.unlink()
    ask(engine)
    assert counted(device, version_of(data), ROWS // 2) == {"failed": ROWS // 2}
    assert {agreement for _, agreement in hearer.agreements} == {"failed"}
    shadowed = [one for one in hearer.served_by if one.role == "shadow"]
    assert len(shadowed) == ROWS // 2
    assert all(isinstance(one.outcome, Exception) for one in shadowed)
    ask(engine)


def test_a_shadow_whose_every_forward_fails_hurts_nobody(engine, device, monkeypatch):
    shadow = put_shadow(device)
    backend = device.core.backend
    features = backend.features

    def fail_alone(form, pixels, prompts):
        if device.core.shadows in computing:
            raise RuntimeError("no features for shadows")
        return features(form, pixels, prompts)

    computing = []
    compute = device.core.shadows.compute

    def noted():
        computing.append(device.core.shadows)
        compute()
        computing.clear()

    monkeypatch.setattr(backend, "features", fail_alone)
    monkeypatch.setattr(device.core.shadows, "compute", noted)
    ask(engine)
    assert counted(device, shadow, ROWS // 2) == {"failed": ROWS // 2}
    ask(engine)


def test_where_a_shadow_ends_no_row_is_copied_any_more(engine, device):
    shadow = put_shadow(device, seed=0)
    ask(engine, ["task0"])
    assert counted(device, shadow, ROWS) == {"same": ROWS}
    device.core._source.end_shadow("task0", expected=shadow)
    ask(engine, ["task0"])
    assert device.core.shadows.due_in_s is None
    assert device.core.shadows.tally.of(AdapterKey("task0", shadow)).rows == {"same": ROWS}


def test_a_shadow_and_a_canary_run_side_by_side(engine, device):
    canary = encode(make_adapter("task0", seed=3, backbone=SPEC))
    device.core._source.publish(canary, canary=0.5)
    shadow = put_shadow(device, seed=0)
    outcomes = engine.predict([Query(image_bytes(i), "task0") for i in range(ROWS)])
    assert {one.version for one in outcomes} == {
        version_of(canary),
        device.core._source.current("task0").version,
    }
    assert sum(counted(device, shadow, ROWS).values()) == ROWS
