from typing import Any

import pytest

from adapters.redis.announcements import parse_message


def test_an_announcement_names_a_task() -> None:
    assert parse_message([b"message", b"spt:published", b"cub200"]) == "cub200"


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"1 pets",
            b"pets ",
            b" pets",
            b"Pets",
            b"../x",
            b"pets\n",
            b"-pets",
            b"\xff",
            b"a/b",
        ),
        *(b"a" * 65, b"x" * 10_000_000),
    ],
)
def test_what_is_not_an_announcement_is_none(data: bytes) -> None:
    assert parse_message([b"message", b"spt:published", data]) is None


@pytest.mark.parametrize(
    "message", [None, 7, [], [b"subscribe", b"c", 1], [b"message", b"c", 1], [b"message", b"c"]]
)
def test_what_is_not_a_message_is_none(message: Any) -> None:
    assert parse_message(message) is None
