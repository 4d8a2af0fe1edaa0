"""What a front puts into a slot is what the device process reads, and no slot is lent twice."""

import os
import threading

import numpy as np
import pytest

from serving.deadline import Deadline
from serving.runtime.slots import SharedSlots, Slots
from tests.fakes.waiting import wait_until

SIDE = 8
SLOT_BYTES = SIDE * SIDE * 3
NOW = Deadline.after(0.0)


def picture(seed: int, height: int = SIDE, width: int = SIDE):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def slots():
    slots = Slots(2, SLOT_BYTES)
    yield slots
    slots.forget_file()


def test_the_other_side_reads_what_was_put_there(slots):
    other = SharedSlots(os.dup(slots.file), SLOT_BYTES)
    sent = [picture(0), picture(1, 4, 6)]
    numbers = [slots.put(one, NOW) for one in sent]
    for number, one in zip(numbers, sent, strict=True):
        height, width, _ = one.shape
        assert (other.pixels(number, height, width) == one).all()


def test_a_slot_is_lent_once_until_it_comes_back(slots):
    first, second = (
        slots.put(picture(0), NOW),
        slots.put(picture(1), NOW),
    )
    assert {first, second} == {0, 1}
    assert slots.put(picture(2), Deadline.after(0.01)) is None
    slots.give_back(first)
    assert slots.put(picture(3), NOW) == first


def test_who_waits_gets_the_slot_that_comes_back(slots):
    lent = [slots.put(picture(i), NOW) for i in range(2)]
    found = []
    thread = threading.Thread(
        target=lambda: found.append(slots.put(picture(9), Deadline.after(60.0)))
    )
    thread.start()
    slots.give_back(lent[1])
    wait_until("the slot is lent again", lambda: found == [lent[1]])
    thread.join()


def test_the_memory_cannot_shrink_under_a_reader(slots):
    with pytest.raises(OSError, match="Operation not permitted"):
        os.ftruncate(slots.file, 1)


def test_memory_whose_size_may_change_is_refused():
    file = os.memfd_create("loose", os.MFD_ALLOW_SEALING)
    os.ftruncate(file, SLOT_BYTES)
    with pytest.raises(ValueError, match="not sealed"):
        SharedSlots(file, SLOT_BYTES)


@pytest.mark.parametrize("asked", [(2, SIDE, SIDE), (0, SIDE, SIDE + 1)])
def test_what_is_outside_of_the_slots_is_refused(slots, asked):
    with pytest.raises(ValueError, match="does not hold"):
        SharedSlots(os.dup(slots.file), SLOT_BYTES).pixels(*asked)
