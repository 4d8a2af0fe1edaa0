"""Adapters come, stay while leased, and go by least recent use under the budget."""

import threading
from contextlib import contextmanager

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.signed_source import ArtifactSource, SignedSource
from adapters.errors import SignatureInvalid, VersionNotFound
from adapters.store.directory import DirectoryStore
from adapters.trust.envelope import sign
from adapters.trust.policy import Trust, TrustedKey
from adapters.trust.statement import statement
from adapters.vit.adapter import encode
from serving.errors import AdapterLoading
from serving.inference.bank import AdapterBank, AdapterKey
from serving.rows.resident import Resident, make_resident
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone
from tests.fakes.waiting import wait_until

PATIENCE_S = 30.0


class DictSource(ArtifactSource):
    """A source of artifacts that counts how often each is read; its door can be held shut."""

    def __init__(self) -> None:
        self.door = threading.Event()
        self.door.set()
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
        self.door.wait(PATIENCE_S)
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
    with loaded(bank, keys) as leased:
        return leased


@contextmanager
def loaded(bank, keys):
    with bank.lease(keys) as lease:
        lease.wait(PATIENCE_S)
        yield lease.residents


def wait_until_loaded(bank, key):
    wait_until("the adapter is resident", lambda: key in bank)


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
    with loaded(bank, source.keys) as leased:
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
        with loaded(bank, source.keys):
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
            with loaded(bank, keys) as leased:
                faults.extend(key for key in keys if leased[key].meta.task.id != key.task)
                faults.extend(key for key in keys if key not in bank)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert bank.num_bytes <= 2 * one_size


def test_a_cold_adapter_holds_up_nobody_and_is_read_once_for_all_who_wait(backbone, source):
    bank = AdapterBank(backbone, source, 1 << 20)
    touch(bank, source.keys[0])
    source.door.clear()
    with bank.lease(source.keys[:2]) as lease, bank.lease(source.keys[:2]) as other:
        assert list(lease.residents) == list(other.residents) == [source.keys[0]]
        source.door.set()
        lease.wait(PATIENCE_S)
        other.wait(PATIENCE_S)
        assert lease.residents[source.keys[1]] is other.residents[source.keys[1]]
    assert source.reads == source.keys[:2]


def test_who_loses_patience_is_told_so_and_the_load_goes_on(backbone, source):
    bank = AdapterBank(backbone, source, 1 << 20)
    source.door.clear()
    with bank.lease(source.keys[:1]) as lease:
        lease.wait(0.01)
        assert isinstance(lease.residents[source.keys[0]], AdapterLoading)
    source.door.set()
    wait_until_loaded(bank, source.keys[0])
    assert isinstance(touch(bank, source.keys[0])[source.keys[0]], Resident)
    assert source.reads == source.keys[:1]


def test_whatever_a_load_raises_belongs_to_its_key(backbone, source, monkeypatch):
    bank = AdapterBank(backbone, source, 1 << 20)
    monkeypatch.setattr(source, "read", lambda *_: 1 / 0)
    assert isinstance(touch(bank, source.keys[0])[source.keys[0]], ZeroDivisionError)
    monkeypatch.undo()
    assert isinstance(touch(bank, source.keys[0])[source.keys[0]], Resident)


def test_a_prefetched_adapter_is_there_when_it_is_asked_for(backbone, source):
    bank = AdapterBank(backbone, source, 1 << 20)
    bank.prefetch(source.keys[:2])
    for key in source.keys[:2]:
        wait_until_loaded(bank, key)
    with bank.lease(source.keys[:2]) as lease:
        assert len(lease.residents) == 2


def test_prefetching_evicts_what_is_over_the_budget_and_nobody_leases(backbone, source, one_size):
    bank = AdapterBank(backbone, source, 2 * one_size)
    with loaded(bank, source.keys[:1]):
        bank.prefetch(source.keys[1:])
        wait_until("all were loaded, two stayed", lambda: len(source.reads) == 5 and len(bank) == 2)
        assert source.keys[0] in bank


def test_a_pinned_adapter_stays_until_another_version_of_its_task_is_pinned(
    backbone, source, one_size
):
    bank = AdapterBank(backbone, source, one_size)
    old = source.keys[0]
    new = source.add(make_adapter("t0", seed=99, backbone=backbone.spec))
    bank.pin(old)
    touch(bank, *source.keys)
    assert old in bank
    bank.pin(new)
    touch(bank, new)
    touch(bank, source.keys[1])
    assert (old in bank, new in bank) == (False, True)


def test_memory_is_counted_right_through_many_loads_and_evictions(backbone, source, one_size):
    bank = AdapterBank(backbone, source, 2 * one_size)
    for i in range(50):
        touch(bank, source.keys[i % 5], source.keys[(3 * i + 1) % 5])
    wait_until("the count agrees", lambda: bank.num_bytes == len(bank) * one_size)
    assert len(bank) == 2


def test_loading_threads_leave_the_forward_its_cores(backbone, source):
    before = torch.get_num_threads()
    bank = AdapterBank(backbone, source, 1 << 20)
    touch(bank, *source.keys)
    assert torch.get_num_threads() == before
    bank.close()


def test_the_bank_makes_resident_what_is_signed_and_refuses_the_rest(tmp_path, backbone):
    key, store = Ed25519PrivateKey.generate(), CachedStore(DirectoryStore(tmp_path))
    data = {name: encode(make_adapter(name, backbone=backbone.spec)) for name in ("good", "bad")}
    envelope = sign(statement("good", version_of(data["good"])), key)
    store.publish(data["good"], envelope=envelope)
    store.publish(data["bad"])
    trust = Trust([TrustedKey(key.public_key())])
    bank = AdapterBank(backbone, SignedSource(store, trust), 1 << 20)
    keys = {name: AdapterKey(name, version_of(one)) for name, one in data.items()}
    with loaded(bank, keys.values()) as leased:
        assert isinstance(leased[keys["good"]], Resident)
        assert isinstance(leased[keys["bad"]], SignatureInvalid)
    assert bank.describe(keys["good"]).task.id == "good"
    with pytest.raises(SignatureInvalid):
        bank.describe(keys["bad"])
    bank.close()


def test_a_lease_that_cannot_begin_leaves_none_behind(backbone, source, one_size):
    bank = AdapterBank(backbone, source, one_size)
    touch(bank, source.keys[0])
    bank.close()
    with pytest.raises(RuntimeError, match="shutdown"), bank.lease(source.keys):
        pass
    bank.make_room()
    assert len(bank) == 0
