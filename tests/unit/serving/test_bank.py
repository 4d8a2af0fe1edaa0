"""Adapters come, stay while leased, and go by least recent use under the budget."""

import threading

import pytest
import torch

from adapters.codec import encode, version_of
from adapters.errors import VersionNotFound
from serving.bank import AdapterBank, AdapterKey
from serving.resident import Resident, make_resident
from tests.artifacts import make_adapter
from tests.tiny import tiny_backbone


class DictSource:
    """A source of artifacts that counts how often each is read."""

    def __init__(self) -> None:
        self.artifacts: dict[AdapterKey, bytes] = {}
        self.reads: list[AdapterKey] = []

    def add(self, adapter) -> AdapterKey:
        data = encode(adapter)
        key = AdapterKey(adapter.meta.task.id, version_of(data))
        self.artifacts[key] = data
        return key

    def read(self, task: str, version: str) -> bytes:
        key = AdapterKey(task, version)
        self.reads.append(key)
        if key not in self.artifacts:
            raise VersionNotFound(f"{task}: no version {version}")
        return self.artifacts[key]


@pytest.fixture
def backbone():
    return tiny_backbone()


@pytest.fixture
def source(backbone):
    source = DictSource()
    source.keys = [
        source.add(make_adapter(f"t{i}", seed=i, backbone=backbone.spec)) for i in range(5)
    ]
    return source


@pytest.fixture
def one_size(backbone):
    return make_resident(make_adapter(backbone=backbone.spec), backbone).num_bytes


def touch(bank, *keys):
    with bank.lease(keys) as leased:
        return leased


def test_an_adapter_is_read_once_and_found_again(backbone, source):
    bank = AdapterBank(backbone, source, 1 << 20)
    first = touch(bank, source.keys[0])[source.keys[0]]
    assert touch(bank, source.keys[0])[source.keys[0]] is first
    assert source.reads == [source.keys[0]]


def test_the_least_recently_used_goes_first(backbone, source, one_size):
    bank = AdapterBank(backbone, source, 3 * one_size)
    for key in (*source.keys[:3], source.keys[0], source.keys[3]):
        touch(bank, key)
    assert [key in bank for key in source.keys] == [True, False, True, True, False]
    assert bank.num_bytes <= 3 * one_size


def test_what_is_leased_stays_even_beyond_the_budget(backbone, source, one_size):
    bank = AdapterBank(backbone, source, one_size)
    with bank.lease(source.keys) as leased:
        assert all(isinstance(leased[key], Resident) for key in source.keys)
        assert all(key in bank for key in source.keys)
        touch(bank, source.keys[0])
        assert all(key in bank for key in source.keys)
    assert bank.num_bytes <= one_size


def test_a_failed_load_is_an_error_at_its_own_key_and_leaves_no_lease(backbone, source):
    bank = AdapterBank(backbone, source, 0)
    missing = AdapterKey("t0", "0" * 64)
    leased = touch(bank, source.keys[0], missing)
    assert isinstance(leased[source.keys[0]], Resident)
    assert isinstance(leased[missing], VersionNotFound)
    assert bank.num_bytes == 0


def test_a_lease_ends_when_its_block_fails(backbone, source):
    bank = AdapterBank(backbone, source, 0)

    def fail():
        with bank.lease(source.keys):
            raise RuntimeError("the forward failed")

    with pytest.raises(RuntimeError):
        fail()
    assert bank.num_bytes == 0


def test_many_threads_never_lose_a_leased_adapter(backbone, source, one_size):
    bank = AdapterBank(backbone, source, 2 * one_size)
    faults = []

    def work(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(50):
            pick = torch.randperm(5, generator=generator)[:2]
            keys = [source.keys[i] for i in pick]
            with bank.lease(keys) as leased:
                faults.extend(key for key in keys if leased[key].meta.task.id != key.task)
                faults.extend(key for key in keys if key not in bank)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert bank.num_bytes <= 2 * one_size
