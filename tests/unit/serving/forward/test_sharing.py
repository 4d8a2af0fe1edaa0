"""One image asked by many tasks costs as many forwards as their prompts differ, and no answer."""

from dataclasses import replace

import pytest
import torch

from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.forward.chunks import chunks
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine
from serving.rows.query import Query
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.rows import seated
from tests.fakes.tiny import image_bytes, tiny_backbone

LINEAR = [f"linear{i}" for i in range(16)]
ALIKE = [f"alike{i}" for i in range(3)]
DEEP = ["deep0", "deep1"]


class Counted(CpuBackend):
    """Notes how many features each forward had."""

    def __init__(self, backbone):
        super().__init__(backbone)
        self.forwards = []

    def features(self, form, pixels, prompts):
        self.forwards.append(len(pixels))
        return super().features(form, pixels, prompts)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone(dtype=torch.float64)


def adapter(task, seed, backbone, method):
    return make_adapter(task, classes=2 + seed, seed=seed, backbone=backbone.spec, method=method)


@pytest.fixture(scope="module")
def source(backbone, tmp_path_factory):
    store = CachedStore(DirectoryStore(tmp_path_factory.mktemp("store")))
    prompts = adapter("alike", 0, backbone, "spt-deep").prompts
    made = [adapter(task, i, backbone, "linear") for i, task in enumerate(LINEAR)]
    made += [
        replace(adapter(task, i, backbone, "spt-deep"), prompts=prompts)
        for i, task in enumerate(ALIKE)
    ]
    made += [adapter(task, 7 + i, backbone, "spt-deep") for i, task in enumerate(DEEP)]
    for one in made:
        store.publish(encode(one))
    yield store
    store.close()


@pytest.fixture
def backend(backbone):
    return Counted(backbone)


@pytest.fixture
def engine(backend, backbone, source):
    engine = Engine(Core(backend, source, AdapterBank(backbone, source, 1 << 20)), max_batch=4)
    yield engine
    engine.close()


def answers(engine, *asked):
    found = engine.predict([Query(image, task) for image, task in asked])
    return [(one.task, one.version, scores_of(one)) for one in found]


def scores_of(answer):
    return [(one.label, pytest.approx(one.score, abs=1e-12)) for one in answer.predictions]


def test_sixteen_linear_tasks_of_one_image_cost_one_row(engine, backend):
    image = image_bytes(0)
    together = answers(engine, *((image, task) for task in LINEAR))
    assert backend.forwards == [1]
    assert together == [*(answers(engine, (image, task))[0] for task in LINEAR)]


def test_equal_prompts_share_a_row_and_different_ones_do_not(engine, backend):
    image = image_bytes(1)
    tasks = [*ALIKE, *DEEP]
    together = answers(engine, *((image, task) for task in tasks))
    assert backend.forwards == [3]
    assert together == [answers(engine, (image, task))[0] for task in tasks]


def test_different_images_share_nothing(engine, backend):
    asked = [(image_bytes(i), LINEAR[0]) for i in range(3)]
    together = answers(engine, *asked)
    assert backend.forwards == [3]
    assert together == [answers(engine, one)[0] for one in asked]


def test_a_forward_is_as_large_as_its_features(engine, backend):
    first, second = image_bytes(0), image_bytes(1)
    answers(engine, *((image, task) for task in [*LINEAR[:8], *DEEP] for image in (first, second)))
    assert backend.forwards == [4, 2]


def test_rows_that_share_a_feature_are_in_one_forward(backbone, source):
    bank = AdapterBank(backbone, source, 1 << 20)
    engine = Engine(Core(CpuBackend(backbone), source, bank))
    engine.warm_up([LINEAR[0], DEEP[0]])
    with bank.lease(bank.keys) as lease:
        residents = {key.task: found for key, found in lease.residents.items()}
        rows = [seated(residents[task], None) for task in (LINEAR[0], DEEP[0], LINEAR[0])]
        rows[2].image = rows[0].image
        assert chunks(rows, 1, apart=True) == [[rows[0], rows[2]], [rows[1]]]
    engine.close()
