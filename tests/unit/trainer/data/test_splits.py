from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.splits import hold_out, hold_out_tenths
from trainer.data.task_data import Sample


@given(st.lists(st.integers(0, 6), min_size=1, max_size=80), st.integers(0, 9), st.data())
def test_parts_are_disjoint_complete_exact_and_leave_every_class_in_the_rest(
    labels: list[int], seed: int, data: st.DataObject
) -> None:
    room = len(labels) - len(set(labels))
    first = data.draw(st.integers(0, room))
    counts = [first, data.draw(st.integers(0, room - first))]
    rest, *parts = hold_out(labels, counts, seed)
    assert [len(p) for p in parts] == counts
    assert sorted(rest + parts[0] + parts[1]) == list(range(len(labels)))
    assert {labels[i] for i in rest} == set(labels)


def test_every_class_keeps_its_share() -> None:
    labels = [0] * 100 + [1] * 50 + [2] * 50
    _, val, test = hold_out(labels, [20, 40], seed=3)
    for part, sizes in ((val, (10, 5, 5)), (test, (20, 10, 10))):
        found = Counter(labels[i] for i in part)
        assert all(abs(found[label] - size) <= 1 for label, size in enumerate(sizes))


def test_the_same_seed_splits_alike_and_another_does_not() -> None:
    labels = [i % 4 for i in range(80)]
    assert hold_out(labels, [8], 5) == hold_out(labels, [8], 5) != hold_out(labels, [8], 6)


def test_of_too_few_images_parts_are_exact_and_some_classes_have_none_in_the_rest() -> None:
    samples = [Sample(Path(f"{i}.jpg"), i) for i in range(4)]
    rest, part = hold_out_tenths(samples, 1, seed=0)
    assert (len(rest), len(part)) == (3, 1)
    assert {*rest, *part} == set(samples)


@pytest.mark.parametrize(("count", "held_out"), [(8_144, 815), (23_929, 2_393), (20, 2), (11, 2)])
def test_a_tenth_is_rounded_up_as_in_table_s1(count: int, held_out: int) -> None:
    samples = [Sample(Path(f"{i}.jpg"), i % 9) for i in range(count)]
    rest, part = hold_out_tenths(samples, 1, seed=0)
    assert (len(rest), len(part)) == (count - held_out, held_out)
