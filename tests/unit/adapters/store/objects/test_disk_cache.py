import os
from pathlib import Path

from adapters.artifact.codec import version_of
from adapters.store.objects.disk_cache import DiskCache
from adapters.store.objects.files import ObjectFiles
from adapters.store.objects.store import ObjectStore
from tests.fakes.artifacts import make_artifact
from tests.fakes.fragile_bucket import FragileBucket
from tests.fakes.stores import memory_bucket

DATA = [make_artifact(seed=seed) for seed in range(3)]
SIZE = len(DATA[0])


def test_what_was_read_once_is_read_from_the_disk_and_damage_is_found(tmp_path: Path) -> None:
    bucket = FragileBucket(memory_bucket())
    version = ObjectStore(ObjectFiles(bucket)).publish(DATA[0]).version
    store = ObjectStore(ObjectFiles(bucket, DiskCache(tmp_path / "cache", 10 * SIZE)))
    for _ in range(2):
        assert store.read("pets", version) == DATA[0]
    name = f"get tasks/pets/versions/{version}.safetensors"
    reads = bucket.requests.count(name)
    (tmp_path / "cache" / f"{version}.safetensors").write_bytes(b"damaged")
    assert store.read("pets", version) == DATA[0]
    assert bucket.requests.count(name) == reads + 1


def test_no_more_than_the_budget_is_kept_and_what_was_read_last_stays(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 2 * SIZE + 100)
    versions = [version_of(data) for data in DATA]
    for number in (0, 1):
        cache.put(versions[number], DATA[number])
        os.utime(tmp_path / f"{versions[number]}.safetensors", (number, number))
    assert cache.get(versions[0]) == DATA[0]
    cache.put(versions[2], DATA[2])
    assert [cache.get(version) is not None for version in versions] == [True, False, True]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * SIZE + 100


def test_a_disk_that_refuses_costs_nothing_but_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = DiskCache(tmp_path / "file", SIZE)
    cache.put(version_of(DATA[0]), DATA[0])
    assert cache.get(version_of(DATA[0])) is None
    larger = DiskCache(tmp_path / "cache", SIZE - 1)
    larger.put(version_of(DATA[0]), DATA[0])
    assert not (tmp_path / "cache").exists()
