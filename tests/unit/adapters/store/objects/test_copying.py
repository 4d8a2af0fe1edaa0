from itertools import permutations
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import PublishConflict, StoreUnavailable
from adapters.store.audit import audit
from adapters.store.directory import Change, Store
from adapters.store.objects.copying import Copied, copy_task
from adapters.store.objects.files import ObjectFiles
from adapters.store.objects.store import ObjectStore
from tests.fakes.artifacts import make_artifact
from tests.fakes.fragile_bucket import FragileBucket
from tests.fakes.stores import KINDS, memory_bucket, store_of

DATA = [make_artifact(seed=seed) for seed in range(3)]


@pytest.fixture(params=[*permutations(KINDS), *((kind, kind) for kind in KINDS)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Store, Store]:
    source, target = (
        store_of(kind, tmp_path / name) for kind, name in zip(request.param, "ab", strict=True)
    )
    source.publish(DATA[0], change=Change(id="first", why="it is new"))
    source.publish(DATA[1])
    source.publish(DATA[2], canary=0.1)
    source.pin("pets", version_of(DATA[0]))
    return source, target


def check_same(source: Store, target: Store) -> None:
    assert target.current("pets") == source.current("pets")
    assert target.history("pets") == source.history("pets")
    assert target.record("pets").pinned == source.record("pets").pinned
    assert target.log("pets") == source.log("pets")
    assert target.versions("pets") == source.versions("pets")
    assert [one for one in audit(target) if one.damage] == []


def test_a_copy_has_the_history_the_log_and_the_pins(stores: tuple[Store, Store]) -> None:
    source, target = stores
    assert copy_task(source, target, "pets") == Copied(3, 3)
    check_same(source, target)
    assert target.publish(DATA[0], change=Change(id="first")).sequence == 1


def test_a_second_copy_brings_what_is_new_and_nothing_twice(stores: tuple[Store, Store]) -> None:
    source, target = stores
    copy_task(source, target, "pets")
    assert copy_task(source, target, "pets") == Copied(3, 0)
    source.publish(make_artifact(seed=9))
    assert copy_task(source, target, "pets") == Copied(4, 1)
    check_same(source, target)


def test_a_task_with_another_history_is_left_alone(stores: tuple[Store, Store]) -> None:
    source, target = stores
    pointer = target.publish(DATA[0])
    with pytest.raises(PublishConflict, match="another history"):
        copy_task(source, target, "pets")
    assert target.current("pets") == pointer


def test_a_copy_that_was_cut_off_goes_on(stores: tuple[Store, Store]) -> None:
    source, bucket = stores[0], memory_bucket()
    for number in range(1, 20):
        cut = FragileBucket(bucket, dies_at=number)
        try:
            copy_task(source, ObjectStore(ObjectFiles(cut)), "pets")
        except StoreUnavailable:
            continue
        break
    check_same(source, ObjectStore(ObjectFiles(bucket)))
