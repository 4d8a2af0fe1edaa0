from collections import Counter

import pytest

from adapters.artifact.task import is_task_id
from trainer.data.builtin.catalogue import BUILTIN
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.data.splits import hold_out


def test_every_task_of_the_paper_has_a_name_of_its_own() -> None:
    assert Counter(task.group for task in PUBLIC_TASKS.values()) == {
        "fgvc": 5,
        "vtab-natural": 7,
        "vtab-specialized": 4,
        "vtab-structured": 8,
        "large": 2,
    }
    assert all(is_task_id(name) for name in PUBLIC_TASKS)
    assert not set(PUBLIC_TASKS) & set(BUILTIN)
    assert len({task.title for task in PUBLIC_TASKS.values()}) == len(PUBLIC_TASKS)


def test_the_whole_of_oxford_flowers_and_its_sample_are_two_tasks() -> None:
    whole, sample = PUBLIC_TASKS["oxford_flowers"], PUBLIC_TASKS["oxford_flowers102"]
    assert (whole.group, whole.sizes) == ("fgvc", (1_020, 1_020, 6_149))
    assert (sample.group, sample.sizes) == ("vtab-natural", (800, 200, 6_149))
    assert "oxford_flowers102" in whole.source


@pytest.mark.parametrize("name", ["cub200", "nabirds", "stanford_dogs", "stanford_cars"])
def test_our_held_out_tenth_has_the_size_that_table_s1_gives(name: str) -> None:
    train, val, _ = PUBLIC_TASKS[name].sizes
    num_classes = PUBLIC_TASKS[name].num_classes
    labels = [i % num_classes for i in range(train + val)]
    count = -(-len(labels) // 10)
    rest, held_out = hold_out(labels, [count], 0)
    assert (len(rest), len(held_out)) == (train, val)


def test_a_task_that_is_fetched_by_command_names_whole_addresses() -> None:
    archives = [a for task in PUBLIC_TASKS.values() for a in task.archives]
    assert len({a.url for a in archives}) == len(archives) >= 10
    for archive in archives:
        assert archive.url.startswith(("https://", "http://"))
        assert archive.name.endswith((".tgz", ".tar", ".tar.gz", ".mat"))
        assert archive.md5 is None or len(archive.md5) == 32
