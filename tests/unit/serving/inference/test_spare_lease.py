"""A shadow's adapter is loaded only where nothing has to go for it, and is the first to go."""

from concurrent.futures import Future

import pytest

from serving.inference.bank import AdapterBank
from serving.rows.resident import Resident, make_resident
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone
from tests.unit.serving.inference.test_bank import PATIENCE_S, DictSource

ROOM = 3


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture(scope="module")
def one_size(backbone):
    return make_resident(make_adapter(backbone=backbone.spec), backbone).num_bytes


@pytest.fixture
def source(backbone):
    source = DictSource()
    source.keys = [
        source.add(make_adapter(f"t{i}", seed=i, backbone=backbone.spec)) for i in range(5)
    ]
    return source


@pytest.fixture
def bank(backbone, source, one_size):
    bank = AdapterBank(backbone, source, ROOM * one_size)
    yield bank
    bank.close()


def touch(bank, *keys):
    with bank.lease(keys) as lease:
        lease.wait(PATIENCE_S)
        assert not lease.failed


def put_spare(bank, key, num_bytes):
    with bank.spare_lease(key, num_bytes) as found:
        assert isinstance(found, Future)
        found.result(PATIENCE_S)
    with bank.spare_lease(key, num_bytes) as found:
        assert isinstance(found, Resident)


def test_it_is_loaded_once_and_kept_while_it_is_leased(bank, source, one_size):
    first, shadow, *others = source.keys
    touch(bank, first)
    put_spare(bank, shadow, one_size)
    assert source.reads == [first, shadow]
    with bank.spare_lease(shadow, one_size):
        touch(bank, *others)
        assert shadow in bank
    touch(bank, first)
    assert shadow not in bank


def test_nothing_goes_for_it(bank, source, one_size):
    *residents, shadow, _ = source.keys
    touch(bank, *residents)
    with bank.spare_lease(shadow, one_size) as found:
        assert found is None
    assert bank.keys == set(residents)
    assert shadow not in source.reads


def test_one_that_is_larger_than_was_thought_goes_itself(bank, source, one_size):
    *residents, shadow, _ = source.keys
    touch(bank, *residents)
    with bank.spare_lease(shadow, 0) as found:
        assert isinstance(found, Future)
        found.result(PATIENCE_S)
    assert bank.keys == set(residents)


def test_it_is_the_first_to_go_unless_a_row_has_used_it(bank, source, one_size):
    first, shadow, second, third, _ = source.keys
    touch(bank, first)
    put_spare(bank, shadow, one_size)
    touch(bank, second)
    touch(bank, third)
    assert bank.keys == {first, second, third}
    bank.make_room(one_size)
    put_spare(bank, shadow, one_size)
    touch(bank, shadow)
    touch(bank, first)
    assert shadow in bank


def test_a_load_that_fails_leaves_nothing_behind(bank, source, one_size):
    shadow = source.keys[1]
    del source.artifacts[shadow]
    with bank.spare_lease(shadow, one_size) as found:
        assert isinstance(found, Future)
        assert found.exception(PATIENCE_S) is not None
    assert len(bank) == 0
