import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trainer.replicas import make_folders
from trainer.data.load import load_task
from trainer.data.subset import few_shots, subset
from trainer.data.task_data import Sample
from trainer.errors import DataError

PROPORTIONS = st.floats(0.001, 1.0)


def samples_of(labels: list[int]) -> tuple[Sample, ...]:
    return tuple(Sample(Path(f"{i}.jpg"), label) for i, label in enumerate(labels))


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=80),
    st.integers(0, 9),
    PROPORTIONS,
    PROPORTIONS,
)
def test_subsets_are_nested_stratified_and_leave_every_class(
    labels: list[int], seed: int, one: float, two: float
) -> None:
    samples = samples_of(labels)
    small, large = (set(subset(samples, p, seed)) for p in sorted((one, two)))
    assert small <= large <= set(samples)
    found = Counter(s.label for s in small)
    for label, count in Counter(labels).items():
        assert found[label] >= 1
        assert abs(found[label] - count * min(one, two)) <= 0.5 or found[label] == 1


def test_a_subset_keeps_the_order_of_the_list_and_the_whole_is_the_list() -> None:
    samples = samples_of([i % 3 for i in range(30)])
    half = subset(samples, 0.5, 1)
    assert len(half) == 15
    assert list(half) == [s for s in samples if s in half]
    assert subset(samples, 1.0, 1) == samples


def test_the_same_seed_draws_the_same_images_and_another_others() -> None:
    samples = samples_of([0] * 40)
    assert subset(samples, 0.3, 5) == subset(samples, 0.3, 5) != subset(samples, 0.3, 6)


@pytest.mark.parametrize("proportion", [0.0, -0.1, 1.01, math.nan, math.inf])
def test_a_proportion_out_of_range_is_refused(tmp_path: Path, proportion: float) -> None:
    with pytest.raises(DataError, match="expected more than 0 and at most 1"):
        subset(samples_of([0, 1]), proportion, 0)
    make_folders(tmp_path, {"cat": 10, "dog": 10})
    with pytest.raises(DataError, match=f"the proportion of training images is {proportion}"):
        load_task("pets", tmp_path, proportion=proportion)


def test_a_proportion_shortens_training_only(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cat": 20, "dog": 20})
    whole = load_task("pets", tmp_path)
    share = load_task("pets", tmp_path, proportion=0.25)
    assert (len(whole.train), len(share.train)) == (32, 8)
    assert set(share.train) < set(whole.train)
    assert (share.val, share.test) == (whole.val, whole.test)
    digests = share.list_digests()
    assert digests["test"] == whole.list_digests()["test"]
    assert digests["train"] != whole.list_digests()["train"]


def test_few_shots_are_nested_draws_of_so_many_images_of_each_class() -> None:
    samples = samples_of([0] * 20 + [1] * 3 + [2] * 9)
    draws = [few_shots(samples, shots, 7) for shots in (1, 2, 4, 8, 16)]
    for shots, drawn in zip((1, 2, 4, 8, 16), draws, strict=True):
        counts = Counter(sample.label for sample in drawn)
        assert counts == {0: min(shots, 20), 1: min(shots, 3), 2: min(shots, 9)}
    assert all(set(small) < set(large) for small, large in pairwise(draws))
    assert draws[0] != few_shots(samples, 1, 8)


def test_a_task_may_be_read_with_few_shots_alone(tmp_path: Path) -> None:
    make_folders(tmp_path, {"train/cat": 9, "train/dog": 5, "test/cat": 2, "test/dog": 2})
    whole, few = (load_task("pets", tmp_path, shots=shots) for shots in (None, 2))
    assert Counter(sample.label for sample in few.train) == {0: 2, 1: 2}
    assert (few.val, few.test) == (whole.val, whole.test)
