"""Mixed batches answer exactly what each task alone would, and one bad row hurts nobody."""

import gc
import threading
import weakref

import numpy as np
import pytest
import torch

import serving.inference.bank
from adapters.artifact.codec import version_of
from adapters.artifact.preprocessing import ImageLimits
from adapters.cache.cached_store import CachedStore
from adapters.errors import ArtifactCorrupt, ArtifactMismatch, BadImage, TaskNotFound
from adapters.images.decode import decode_image
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from adapters.vit.pixels import to_pixels
from serving.decoding.decoder import DecoderSettings
from serving.errors import AdapterLoading
from serving.forward.forward import launch
from serving.inference.bank import AdapterBank, AdapterKey
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.protocol import Answer
from serving.rows.resident import make_resident
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.reference import reference_scores
from tests.fakes.tiny import image_bytes, read_out, tiny_backbone, tiny_trunk
from tests.fakes.waiting import wait_until

FORMS = [
    {"method": "spt-deep", "prompts": 4, "pooling": "cls"},
    {"method": "spt-deep", "prompts": 7, "pooling": "cls"},
    {"method": "spt-deep", "prompts": 4, "pooling": "mean"},
    {"method": "spt-deep", "prompts": 4, "pooling": "mean-with-prompts"},
    {"method": "linear", "prompts": 0, "pooling": "mean-with-prompts"},
    {"method": "spt-shallow", "prompts": 6, "pooling": "cls"},
    {"method": "spt-shallow", "prompts": 6, "pooling": "mean-with-prompts"},
    {"method": "linear", "prompts": 0, "pooling": "cls"},
    {"method": "linear", "prompts": 0, "pooling": "mean"},
    {"method": "spt-deep", "prompts": 5, "pooling": "map"},
    {"method": "spt-shallow", "prompts": 3, "pooling": "map"},
]
NUM_TASKS = 24


@pytest.fixture(scope="module")
def backbone():
    trunk = tiny_trunk(pre_norm=True, global_pool="map")
    return tiny_backbone(trunk, dtype=torch.float64)


@pytest.fixture(scope="module")
def adapters(backbone):
    """Tasks of every form, each with another number of classes."""
    made = {}
    for i in range(NUM_TASKS):
        form = FORMS[i % len(FORMS)]
        spec = backbone.spec.model_copy(update=read_out(form["pooling"]))
        made[f"task{i}"] = make_adapter(
            f"task{i}",
            classes=2 + i % 5,
            seed=i,
            backbone=spec,
            method=form["method"],
            prompts=form["prompts"],
            temperature=(None, 2.0, 0.5)[i % 3],
        )
    return made


@pytest.fixture(scope="module")
def source(adapters, tmp_path_factory):
    store = CachedStore(DirectoryStore(tmp_path_factory.mktemp("store")))
    for adapter in adapters.values():
        store.publish(encode(adapter))
    return store


@pytest.fixture
def engine(backbone, source):
    engine = Engine(
        Core(CpuBackend(backbone), source, AdapterBank(backbone, source, 1 << 20)),
        decoding=DecoderSettings(ImageLimits(max_pixels=4096)),
    )
    yield engine
    engine.close()


def tasks_of(mix: str, size: int) -> list[str]:
    rng = np.random.default_rng(size)
    picks = {
        "identical": np.zeros(size, int),
        "distinct": np.arange(size) % NUM_TASKS,
        "uniform": rng.integers(0, NUM_TASKS, size),
        "zipf": (rng.zipf(1.5, size) - 1) % NUM_TASKS,
    }
    return [f"task{i}" for i in picks[mix]]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 33])
@pytest.mark.parametrize("mix", ["identical", "distinct", "uniform", "zipf"])
def test_a_mixed_batch_answers_what_the_token_form_says_row_by_row(
    mix, size, engine, backbone, adapters
):
    queries = [Query(image_bytes(i), task, top_k=9) for i, task in enumerate(tasks_of(mix, size))]
    answers = engine.predict(queries)
    for query, answer in zip(queries, answers, strict=True):
        adapter = adapters[query.task]
        pixels = to_pixels(decode_image(query.image), adapter.meta.preprocessing)
        expected = reference_scores(backbone.trunk, adapter, pixels)
        assert isinstance(answer, Answer)
        assert (answer.task, answer.version) == (query.task, version_of(encode(adapter)))
        assert len(answer.predictions) == len(expected)
        for prediction in answer.predictions:
            assert prediction.label == adapter.meta.task.class_names[prediction.index]
            assert prediction.score == pytest.approx(float(expected[prediction.index]), abs=1e-12)
        scores = [p.score for p in answer.predictions]
        assert scores == sorted(scores, reverse=True)


def test_permuting_a_batch_permutes_its_answers(engine):
    queries = [Query(image_bytes(i), task) for i, task in enumerate(tasks_of("uniform", 12))]
    order = np.random.default_rng(0).permutation(12)
    straight = engine.predict(queries)
    shuffled = engine.predict([queries[i] for i in order])
    for place, i in enumerate(order):
        assert [p.index for p in shuffled[place].predictions] == [
            p.index for p in straight[i].predictions
        ]


def test_batches_beyond_the_limit_are_split_and_answered_whole(backbone, source):
    engine = Engine(
        Core(CpuBackend(backbone), source, AdapterBank(backbone, source, 1 << 20)), max_batch=3
    )
    answers = engine.predict([Query(image_bytes(i), "task0") for i in range(8)])
    assert all(isinstance(answer, Answer) for answer in answers)
    engine.close()


def test_one_bad_row_of_each_kind_leaves_the_others_untouched(engine):
    bad = {
        1: (Query(b"not an image", "task1"), BadImage),
        3: (Query(image_bytes(3), "nobody"), TaskNotFound),
        4: (Query(image_bytes(4), "../../etc/passwd"), TaskNotFound),
        6: (Query(b"", "task2"), BadImage),
        7: (Query(image_bytes(7, (100, 100)), "task2"), BadImage),
    }
    queries = [bad[i][0] if i in bad else Query(image_bytes(i), f"task{i}") for i in range(9)]
    alone = {i: engine.predict([queries[i]])[0] for i in range(9) if i not in bad}
    for i, answer in enumerate(engine.predict(queries)):
        if i in bad:
            assert isinstance(answer, bad[i][1])
        else:
            assert [p.index for p in answer.predictions] == [p.index for p in alone[i].predictions]


def test_images_that_the_device_crops_are_answered_the_same(backbone, source, engine):
    settings = DecoderSettings(ImageLimits(max_pixels=4096), whole_side=64)
    cropping = Engine(
        Core(CpuBackend(backbone), source, AdapterBank(backbone, source, 1 << 20)),
        decoding=settings,
    )
    sizes = [(64, 64), (16, 16), (9, 40), (100, 40), (33, 64)]
    images = [image_bytes(i, size) for i, size in enumerate(sizes)]
    tasks = tasks_of("distinct", 6)
    queries = [Query(image, task) for image in images for task in tasks]
    assert cropping.predict(queries) == engine.predict(queries)
    cropping.close()


def test_one_image_asked_of_many_tasks_is_decoded_once(engine, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        "adapters.images.crop.decode_image", lambda *a: decoded.append(1) or decode_image(*a)
    )
    image = image_bytes(0)
    answers = engine.predict([Query(image, f"task{i}") for i in range(8)])
    assert all(isinstance(answer, Answer) for answer in answers)
    assert len(decoded) == 1


class Coarse(CpuBackend):
    """Far from the exact trunk, and in doubt of every row."""

    @property
    def exact(self):
        return CpuBackend(self.backbone)

    def features(self, form, pixels, prompts):
        return -super().features(form, pixels, prompts)

    def doubt(self, form):
        return torch.inf


def test_rows_in_doubt_get_the_answers_of_the_exact_trunk(backbone, source, engine):
    coarse = Engine(Core(Coarse(backbone), source, AdapterBank(backbone, source, 1 << 20)))
    queries = [Query(image_bytes(0), "task0"), Query(image_bytes(0), "task7")]
    assert coarse.predict(queries) == engine.predict(queries)
    coarse.close()


@pytest.fixture
def no_garbage_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collector")
def test_the_error_of_a_bad_image_keeps_no_adapter_on_the_device(backbone, source, monkeypatch):
    made, real = [], serving.inference.bank.make_resident

    def make(*args):
        resident = real(*args)
        made.append(weakref.ref(resident))
        return resident

    monkeypatch.setattr("serving.inference.bank.make_resident", make)
    engine = Engine(Core(CpuBackend(backbone), source, AdapterBank(backbone, source, 0)))
    outcomes = engine.predict([Query(b"no image", "task0"), Query(b"no image", "task0")])
    assert all(isinstance(outcome, BadImage) for outcome in outcomes)
    del outcomes
    wait_until("the adapter is gone", lambda: [ref() for ref in made] == [None])
    engine.close()


def test_an_adapter_of_another_backbone_is_refused_by_name(engine, source):
    foreign = make_adapter("foreign", backbone=make_adapter().meta.backbone)
    source.publish(encode(foreign))
    (outcome,) = engine.predict([Query(image_bytes(0), "foreign")])
    assert isinstance(outcome, ArtifactMismatch)
    assert "weights_sha256" in str(outcome)


@pytest.mark.parametrize(
    ("changes", "pooling"),
    [({}, "map"), ({"class_token": False, "global_pool": "avg"}, "cls")],
    ids=["map", "cls"],
)
def test_an_adapter_whose_read_out_the_backbone_lacks_is_refused_by_name(changes, pooling):
    backbone = tiny_backbone(tiny_trunk(**changes))
    spec = backbone.spec.model_copy(update=read_out(pooling))
    with pytest.raises(ArtifactMismatch, match=f"of pets: pooling {pooling} needs a part"):
        make_resident(make_adapter(backbone=spec), backbone)


def test_an_adapter_whose_scores_overflow_fails_alone(engine, source, backbone):
    wild = make_adapter("wild", backbone=backbone.spec)
    wild.head_weight.fill_(3e38)
    wild.head_weight[0].fill_(-3e38)
    wild.prompts.fill_(3e38)
    source.publish(encode(wild))
    good, bad = engine.predict([Query(image_bytes(0), "task0"), Query(image_bytes(0), "wild")])
    assert isinstance(good, Answer)
    assert isinstance(bad, ArtifactCorrupt | Answer)


def test_a_new_version_is_served_and_an_old_one_on_request(engine, source, backbone):
    versions = [
        source.publish(encode(make_adapter("fresh", seed=s, backbone=backbone.spec))).version
        for s in (1, 2)
    ]
    current, old = engine.predict(
        [Query(image_bytes(0), "fresh"), Query(image_bytes(0), "fresh", version=versions[0][:12])]
    )
    assert (current.version, old.version) == (versions[1], versions[0])


def test_top_k_beyond_the_number_of_classes_gives_all_of_them(engine):
    (answer,) = engine.predict([Query(image_bytes(0), "task0", top_k=1000)])
    assert len(answer.predictions) == 2
    assert sum(p.score for p in answer.predictions) == pytest.approx(1)


class SlowSource(CachedStore):
    """A store one of whose tasks cannot be read until its door is opened."""

    def __init__(self, store: DirectoryStore, slow: str) -> None:
        super().__init__(store)
        self.slow = slow
        self.door = threading.Event()

    def read(self, task: str, version: str) -> bytes:
        if task == self.slow:
            self.door.wait(30)
        return super().read(task, version)


@pytest.fixture
def slow(source):
    return SlowSource(source.store, "task1")


def build(backbone, source, **options) -> Engine:
    bank = AdapterBank(backbone, source, 1 << 20)
    return Engine(Core(CpuBackend(backbone), source, bank), **options)


def test_rows_of_a_cold_task_lose_patience_while_the_others_are_answered(backbone, slow):
    engine = build(backbone, slow, patience_s=1.0)
    queries = [Query(image_bytes(i), f"task{i % 2}") for i in range(4)]
    engine.predict(queries[:1])
    warm, cold, *_ = engine.predict(queries)
    assert isinstance(warm, Answer)
    assert isinstance(cold, AdapterLoading)
    slow.door.set()
    wait_until(
        "the load that went on is done",
        lambda: isinstance(engine.predict(queries[1:2])[0], Answer),
    )
    engine.close()


def test_warm_rows_are_under_way_before_a_cold_adapter_is_waited_for(backbone, slow, monkeypatch):
    engine = build(backbone, slow, patience_s=30.0)
    engine.predict([Query(image_bytes(0), "task0")])
    launched = []

    def note(backend, rows, make_room):
        launched.append([row.key.task for row in rows])
        slow.door.set()
        return launch(backend, rows, make_room)

    monkeypatch.setattr("serving.inference.engine.launch", note)
    answers = engine.predict([Query(image_bytes(i), f"task{1 - i % 2}") for i in range(4)])
    assert all(isinstance(answer, Answer) for answer in answers)
    assert launched == [["task0", "task0"], ["task1", "task1"]]
    engine.close()


def test_what_is_preloaded_or_pinned_is_there_before_the_first_request(backbone, source, caplog):
    bank = AdapterBank(backbone, source, 0)
    engine = Engine(Core(CpuBackend(backbone), source, bank, pinned=["task2"]))
    engine.warm_up(["task3", "nobody"])
    assert "nobody is not preloaded" in caplog.text
    wait_until("only the pinned one outlives a budget of nothing", lambda: len(bank) == 1)
    assert AdapterKey("task2", source.current("task2").version) in bank
    engine.close()


class CountingSource(CachedStore):
    """A store whose reads wait for one another: until two are under way at once."""

    def __init__(self, store: DirectoryStore) -> None:
        super().__init__(store)
        self.together = threading.Barrier(2)

    def read(self, task: str, version: str) -> bytes:
        self.together.wait(30)
        return super().read(task, version)


def test_what_is_preloaded_is_loaded_side_by_side(backbone, source, caplog):
    engine = build(backbone, CountingSource(source.store))
    engine.warm_up([f"task{i}" for i in range(4)])
    assert "not preloaded" not in caplog.text
    engine.close()
