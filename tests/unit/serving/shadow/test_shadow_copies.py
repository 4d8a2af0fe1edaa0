"""Which answered rows are copied, and when two answers say the same."""

import numpy as np
import pytest

from adapters.images.crop import Picture
from adapters.store.record import Shadow
from serving.protocol import Answer, LabelScore
from serving.rows.query import Query
from serving.rows.resident import AdapterKey, make_resident
from serving.rows.row import Row
from serving.shadow.copies import agree, copy_of, shadow_of
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone

A, B = "a" * 64, "b" * 64
GENERATOR = np.random.default_rng(0)


@pytest.fixture(scope="module")
def resident():
    backbone = tiny_backbone()
    return make_resident(make_adapter(backbone=backbone.spec), backbone)


def answer(*labels: str, **more) -> Answer:
    found = tuple(LabelScore(label=one, index=i, score=0.5) for i, one in enumerate(labels))
    return Answer(task="pets", version=A, predictions=found, **more)


def answered(share: float | None, *, task: str = "pets", shadow: str = B) -> Row:
    row = Row(Query(b"", task), outcome=answer("cat"))
    row.key = AdapterKey(task, A)
    row.picture = Picture(GENERATOR.integers(0, 256, (32, 32, 3), np.uint8), is_whole=False)
    row.shadow = None if share is None else Shadow(version=shadow, share=share)
    return row


def test_a_shadow_is_drawn_for_its_share_of_the_pictures():
    rows = [answered(0.2) for _ in range(2000)]
    drawn = [shadow_of(row) for row in rows]
    assert drawn == [shadow_of(row) for row in rows]
    assert set(drawn) == {None, AdapterKey("pets", B)}
    found = sum(one is not None for one in drawn) / len(rows)
    assert found == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / len(rows)) ** 0.5)


@pytest.mark.parametrize("other", [{"task": "dogs"}, {"shadow": "c" * 64}])
def test_the_same_picture_is_not_every_shadows(other):
    rows = [answered(0.5) for _ in range(400)]
    both = 0
    for row in rows:
        twin = answered(0.5, **other)
        twin.picture = row.picture
        both += shadow_of(row) is not None and shadow_of(twin) is not None
    assert both / len(rows) == pytest.approx(0.25, abs=0.09)


def test_a_row_that_failed_or_was_answered_by_the_shadow_itself_is_not_copied():
    failed, itself, plain = answered(1.0), answered(1.0, shadow=A), answered(None)
    failed.outcome = ValueError("no")
    assert [shadow_of(row) for row in (failed, itself, plain)] == [None] * 3
    assert shadow_of(answered(1.0)) == AdapterKey("pets", B)


def test_a_copy_keeps_its_pixels_where_those_of_the_row_are_overwritten(resident):
    row = answered(1.0)
    row.resident = resident
    before = row.picture.pixels.copy()
    copy = copy_of(row, AdapterKey("pets", B))
    row.picture.pixels[:] = 0
    assert np.array_equal(copy.picture.pixels, before)
    assert (copy.answer, copy.rule) == (row.outcome, resident.meta.preprocessing)
    assert copy.adapter_bytes == resident.num_bytes


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (answer("cat", "dog"), answer("cat"), True),
        (answer("cat", "dog"), answer("dog", "cat"), False),
        (answer("cat", unknown=True), answer("cat", unknown=False), False),
        (answer("cat", unknown=False), answer("cat"), True),
        (answer("a", labels=("a", "b")), answer("b", labels=("b", "a")), True),
        (answer("a", labels=("a", "b")), answer("a", labels=("a",)), False),
        (answer(value=1.0), answer(value=1.005), True),
        (answer(value=1.0), answer(value=1.1), False),
        (answer(value=1.0), answer("cat"), False),
        (answer("4", value=3.9), answer("4", value=3.1), True),
    ],
)
def test_answers_agree_where_they_say_the_same(one, other, is_same):
    assert agree(one, other) is agree(other, one) is is_same
