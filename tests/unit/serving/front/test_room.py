"""What is lent is never more than there is, and all of it comes back."""

from random import Random

import pytest

from serving.errors import ServiceBusy
from serving.front.room import _COPIES, Room

BODY = 10


@pytest.mark.parametrize("seed", range(10))
def test_all_that_was_lent_comes_back(seed: int) -> None:
    draw = Random(seed)
    calls = [
        [(draw.randint(0, 25), draw.randint(0, 4)) for _ in range(draw.randint(0, 5))]
        for _ in range(5)
    ]
    room = Room(5 * BODY * _COPIES, BODY)
    for wanted in calls:
        with room.loan() as loan:
            for num_bytes, num_rows in wanted:
                fits = loan.num_bytes + num_bytes <= 50 and loan.num_rows + num_rows <= 5
                if fits:
                    loan.add(num_bytes=num_bytes, num_rows=num_rows)
                    continue
                with pytest.raises(ServiceBusy):
                    loan.add(num_bytes=num_bytes, num_rows=num_rows)
    with room.loan() as loan:
        loan.add(num_bytes=50, num_rows=5)


def test_two_calls_share_the_room() -> None:
    room = Room(3 * BODY * _COPIES, BODY)
    with room.loan() as one, room.loan() as other:
        one.add(num_bytes=20)
        with pytest.raises(ServiceBusy):
            other.add(num_bytes=11)
        other.add(num_bytes=10, num_rows=3)
        with pytest.raises(ServiceBusy):
            one.add(num_rows=1)


def test_the_largest_body_has_room_however_little_memory_there_is() -> None:
    with Room(1, BODY).loan() as loan:
        loan.add(num_bytes=BODY, num_rows=1)
