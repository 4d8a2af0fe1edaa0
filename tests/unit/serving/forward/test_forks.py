"""Rows of one image share the blocks before their first prompts, and no answer changes."""

import pytest
import torch

from adapters.cache.cached_store import CachedStore
from adapters.images.crop import decode_by_rule
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from adapters.vit.pixels import to_pixels
from serving.forward.sharing import fork, forking_blocks
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine
from serving.rows.query import Query
from serving.rows.resident import make_resident
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.reference import reference_scores
from tests.fakes.rows import seated
from tests.fakes.tiny import image_bytes, read_out, tiny_backbone, tiny_trunk

DEPTH = 6
KINDS = {"linear": 0, "spt-shallow": 0, "spt-deep": 0, "from2": 2, "from3": 3, "from4": 4}
"""First block by kind of task; a kind that is no method is of deep prompts."""


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone(tiny_trunk(depth=DEPTH), dtype=torch.float64)


def adapter_of(task, backbone, pooling="cls"):
    kind, number = task.rsplit("_", 1)
    return make_adapter(
        task,
        classes=3,
        prompts=4 if pooling == "mean-with-prompts" else 3 + KINDS[kind],
        seed=int(number) + 10 * sorted(KINDS).index(kind),
        method="spt-deep" if kind.startswith("from") else kind,
        first_block=KINDS[kind],
        backbone=backbone.spec.model_copy(update=read_out(pooling)),
    )


class Counter:
    """Notes how many rows each block of a trunk is given."""

    def __init__(self, trunk):
        self.rows = [0] * len(trunk.blocks)
        self.handles = [
            block.norm1.register_forward_pre_hook(self.noted(i))
            for i, block in enumerate(trunk.blocks)
        ]

    def noted(self, place):
        def note(_, inputs):
            self.rows[place] += len(inputs[0])

        return note

    def close(self):
        for handle in self.handles:
            handle.remove()


@pytest.fixture
def asked(backbone, tmp_path):
    """Return a function that asks queries, and returns the answers and the rows of each block."""

    def ask(queries, pooling="cls", backend=None):
        source = CachedStore(DirectoryStore(tmp_path))
        for task in {task for _, task in queries}:
            source.publish(encode(adapter_of(task, backbone, pooling)))
        core = Core(backend or CpuBackend(backbone), source, AdapterBank(backbone, source, 1 << 20))
        engine = Engine(core)
        engine.warm_up({task for _, task in queries})
        counter = Counter(backbone.trunk)
        try:
            return engine.predict([Query(*query) for query in queries]), counter.rows
        finally:
            counter.close()
            engine.close()
            source.close()

    return ask


def assert_exact(answers, queries, backbone, pooling="cls"):
    for answer, (image, task) in zip(answers, queries, strict=True):
        adapter = adapter_of(task, backbone, pooling)
        rule = adapter.meta.preprocessing
        pixels = to_pixels(decode_by_rule(image, rule), rule).double()
        expected = reference_scores(backbone.trunk, adapter, pixels)
        for one in answer.predictions:
            assert one.score == pytest.approx(float(expected[one.index]), abs=1e-9)


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
def test_any_mixture_of_tasks_and_images_is_answered_as_by_the_token_form(pooling, asked, backbone):
    first, second, third = map(image_bytes, range(3))
    many = [f"{kind}_{number}" for kind in KINDS for number in range(4)]
    queries = [(first, task) for task in many] + [(second, task) for task in many[::3]]
    queries += [(third, "from4_0"), (third, "spt-deep_0"), (first, "from4_1")]
    answers, _ = asked(queries, pooling)
    assert_exact(answers, queries, backbone, pooling)


def test_blocks_before_the_first_prompts_are_computed_once_per_image(asked, backbone):
    queries = [(image, f"from4_{n}") for image in map(image_bytes, range(2)) for n in range(4)]
    answers, rows = asked(queries)
    assert rows == [2, 2, 2, 2, 8, 8]
    assert_exact(answers, queries, backbone)


def test_rows_that_share_much_leave_the_others_to_a_forward_of_their_own(asked, backbone):
    image = image_bytes(0)
    queries = [(image, f"from4_{n}") for n in range(4)]
    queries += [(image, "linear_0"), (image, "from2_0"), (image, "spt-deep_0")]
    queries += [(image_bytes(1), "from3_0")]
    answers, rows = asked(queries)
    assert rows == [4, 4, 4, 4, 8, 8]
    assert_exact(answers, queries, backbone)


def test_where_nothing_forks_every_row_has_all_its_blocks(asked, backbone):
    backend = CpuBackend(backbone)
    backend.forks = None
    image = image_bytes(0)
    queries = [(image, f"from4_{n}") for n in range(4)]
    answers, rows = asked(queries, backend=backend)
    assert rows == [4] * DEPTH
    assert_exact(answers, queries, backbone)


def test_both_parts_are_computed_side_by_side(asked, backbone, monkeypatch):
    monkeypatch.setattr("serving.trunk.cpu.EAGER_SHARE", 1.0)
    queries = [(image, f"from4_{n}") for image in map(image_bytes, range(3)) for n in range(3)]
    answers, rows = asked(queries)
    assert rows == [3] * 4 + [9] * 2
    assert_exact(answers, queries, backbone)


def rows_of(backbone, *tasks):
    """Return rows of one image."""
    rows = [seated(make_resident(adapter_of(task, backbone), backbone), None) for task in tasks]
    for row in rows:
        row.image = 1
    return rows


def test_rows_fork_at_the_block_that_spares_most(backbone):
    early, *late = rows_of(backbone, "from2_0", "from4_0", "from4_1", "from4_2")
    assert forking_blocks([early, *late]) == dict.fromkeys(late, 4)
    assert fork([early, *late]).block == 2


def test_rows_that_spare_less_than_a_row_need_no_forward_of_their_own(backbone):
    two = rows_of(backbone, "from2_0", "from2_1")
    assert forking_blocks(two) == {}
    assert fork(two).image_of == [0, 0]


def test_rows_that_share_nothing_do_not_fork(backbone):
    shallow = rows_of(backbone, "spt-shallow_0", "spt-shallow_1", "spt-shallow_2")
    deep = rows_of(backbone, *(f"spt-deep_{n}" for n in range(3)))
    apart = rows_of(backbone, *(f"from4_{n}" for n in range(3)))
    for number, row in enumerate(apart):
        row.image = number
    linear = rows_of(backbone, *(f"linear_{n}" for n in range(9)))
    assert forking_blocks([*shallow, *deep, *apart, *linear]) == {}
    assert [fork(rows) for rows in (shallow, deep, apart)] == [None] * 3


def test_prompts_of_the_same_numbers_that_begin_elsewhere_are_others(backbone):
    adapters = [
        make_adapter(prompts=prompts, first_block=block, backbone=backbone.spec)
        for prompts, block in ((2, 0), (3, 2))
    ]
    for adapter in adapters:
        adapter.prompts.zero_()
    one, other = (make_resident(adapter, backbone).prompts_digest for adapter in adapters)
    assert one != other
