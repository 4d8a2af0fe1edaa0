"""Memory that runs out costs idle adapters first, then the rows of one forward, nothing else."""

import pytest
import torch

from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.errors import DeviceOutOfMemory
from serving.inference import bank as bank_module
from serving.inference.bank import AdapterBank, AdapterKey
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.protocol import Answer
from serving.rows.resident import make_resident
from serving.trunk.cpu import CpuBackend
from serving.trunk.out_of_memory import is_out_of_memory, retry_in_room
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes, tiny_backbone

HOST_IS_FULL = (
    "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 400000000000 bytes. Error code 12 (Cannot allocate memory)"
)


class FullDevice(CpuBackend):
    """A trunk whose next forwards fail with these errors."""

    def __init__(self, backbone) -> None:
        super().__init__(backbone)
        self.failures: list[Exception] = []

    def features(self, form, pixels, prompts):
        if self.failures:
            raise self.failures.pop(0)
        return super().features(form, pixels, prompts)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture(scope="module")
def source(backbone, tmp_path_factory):
    source = CachedStore(DirectoryStore(tmp_path_factory.mktemp("store")))
    for i in range(4):
        source.publish(encode(make_adapter(f"task{i}", seed=i, backbone=backbone.spec)))
    return source


@pytest.fixture
def device(backbone):
    return FullDevice(backbone)


@pytest.fixture
def bank(backbone, source):
    return AdapterBank(backbone, source, 1 << 20)


@pytest.fixture
def engine(device, source, bank):
    engine = Engine(Core(device, source, bank, pinned=["task3"]), max_batch=2)
    yield engine
    engine.close()


def ask(engine, *tasks):
    return engine.predict([Query(image_bytes(0), task) for task in tasks])


def tasks_in(bank):
    return {key.task for key in bank.keys}


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_idle_adapters_make_room_and_the_forward_is_tried_once_more(engine, device, bank, error):
    ask(engine, "task0", "task1", "task3")
    device.failures = [error]
    (answer,) = ask(engine, "task2")
    assert isinstance(answer, Answer)
    assert tasks_in(bank) == {"task2", "task3"}


def test_memory_that_runs_out_twice_costs_the_rows_of_that_forward_alone(engine, device):
    device.failures = [RuntimeError(HOST_IS_FULL)] * 2
    first, second, third = ask(engine, "task0", "task0", "task0")
    assert isinstance(first, DeviceOutOfMemory)
    assert isinstance(second, DeviceOutOfMemory)
    assert isinstance(third, Answer)
    assert "max_batch" in str(first)
    assert all(isinstance(answer, Answer) for answer in ask(engine, "task0", "task1"))


def test_another_error_is_not_tried_again(engine, device):
    fault = RuntimeError("shapes do not match")
    device.failures = [fault]
    assert ask(engine, "task0") == [fault]
    assert device.failures == []


def test_no_more_is_evicted_than_was_asked_for_then_twice_as_much_then_all(source, backbone):
    bank = AdapterBank(backbone, source, 1 << 20)
    keys = [AdapterKey(f"task{i}", source.current(f"task{i}").version) for i in range(4)]
    with bank.lease(keys) as lease:
        lease.wait(30.0)
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 KiB. GPU 0 has")
    left = []

    def fail(times):
        def act():
            left.append(len(bank))
            if len(left) <= times:
                raise error
            return "made"

        return act

    assert retry_in_room(fail(1), bank.make_room) == "made"
    assert left == [4, 3]
    left.clear()
    assert retry_in_room(fail(2), bank.make_room) == "made"
    assert left == [3, 2, 0]
    bank.close()


def failing_loads(monkeypatch, errors):
    def load(adapter, backbone):
        if errors:
            raise errors.pop(0)
        return make_resident(adapter, backbone)

    monkeypatch.setattr(bank_module, "make_resident", load)


def test_idle_adapters_make_room_for_one_that_is_loaded(engine, bank, monkeypatch):
    ask(engine, "task0", "task1")
    failing_loads(monkeypatch, [torch.OutOfMemoryError("CUDA out of memory")])
    (answer,) = ask(engine, "task2")
    assert isinstance(answer, Answer)
    assert tasks_in(bank) == {"task2"}


def test_an_adapter_that_does_not_fit_costs_its_own_rows_and_loads_later(engine, monkeypatch):
    ask(engine, "task0")
    failing_loads(monkeypatch, [torch.OutOfMemoryError("CUDA out of memory") for _ in range(2)])
    bad, good = ask(engine, "task1", "task0")
    assert isinstance(bad, DeviceOutOfMemory)
    assert isinstance(good, Answer)
    assert all(isinstance(answer, Answer) for answer in ask(engine, "task0", "task1"))


def test_what_is_leased_or_pinned_stays_when_room_is_made(bank, source):
    keys = [AdapterKey(f"task{i}", source.current(f"task{i}").version) for i in range(3)]
    bank.pin(keys[0])
    with bank.lease(keys) as lease:
        lease.wait(30.0)
    with bank.lease(keys[1:2]):
        bank.make_room()
        assert bank.keys == set(keys[:2])


def test_an_error_of_a_forward_that_shows_only_when_it_is_awaited_stays_with_its_rows(
    engine, monkeypatch
):
    def fail(_):
        raise RuntimeError("device-side assert")

    monkeypatch.setattr(torch.Tensor, "tolist", fail)
    assert all(isinstance(outcome, RuntimeError) for outcome in ask(engine, "task0", "task1"))


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError(HOST_IS_FULL), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("Failed to allocate memory for requested buffer of size 4096"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_an_error_is_told_by_its_class_or_by_the_allocators_words(error, is_it):
    assert is_out_of_memory(error) is is_it


def test_the_hosts_own_allocator_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
