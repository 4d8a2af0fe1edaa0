from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cache.redis_pointer import from_reply, to_fields
from adapters.redis.announcements import Announcement, parse_message
from adapters.store.directory import Pointer
from adapters.store.record import Canary

VERSION, OTHER = b"ab" * 32, b"cd" * 32
VERSIONS = st.text("0123456789abcdef", min_size=64, max_size=64)
SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True)
CANARIES = st.none() | st.builds(Canary, version=VERSIONS, share=SHARES)
POINTERS = st.builds(
    Pointer, version=VERSIONS, sequence=st.integers(1, 10**15 - 1), canary=CANARIES
)


@given(POINTERS)
def test_a_pointer_survives_the_way_through_redis(pointer: Pointer) -> None:
    fields = [text.encode() if text else None for text in to_fields(pointer)]
    assert all(text is None or len(text) <= 64 for text in fields)
    assert from_reply(fields) == pointer


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        b"OK",
        7,
        ["EVAL", "return 1"],
        [b"a field is too long"],
        [VERSION, None, None, None],
        [None, b"1", None, None],
        [b"../../etc/passwd", b"1", None, None],
        [VERSION.upper(), b"1", None, None],
        [b"\xff" * 64, b"1", None, None],
        [VERSION.decode(), "1", None, None],
        [VERSION, b"-1", None, None],
        [VERSION, b"0", None, None],
        [VERSION, b"1e9", None, None],
        [VERSION, b"9" * 400, None, None],
        [VERSION, b"1"],
        [VERSION, b"1", None],
        [VERSION, b"1", None, None, None],
        [VERSION, b"1", OTHER, None],
        [VERSION, b"1", None, b"0.5"],
        [VERSION, b"1", b"x", b"0.5"],
        [VERSION, b"1", OTHER, 0.5],
        *(
            [VERSION, b"1", OTHER, share]
            for share in [b"0", b"1", b"1.5", b"-0.5", b"nan", b"inf", b"0x1", b"", b".", b" 0.5"]
        ),
    ],
)
def test_whatever_is_not_one_of_our_pointers_is_none(reply: Any) -> None:
    assert from_reply(reply) is None


@given(st.lists(st.none() | st.binary(max_size=64) | st.integers(), max_size=6))
def test_no_reply_makes_it_raise(reply: list[Any]) -> None:
    found = from_reply(reply)
    assert found is None or isinstance(found, Pointer)


def test_an_announcement_has_an_epoch_and_a_task() -> None:
    message = [b"message", b"spt:published", b"1764000000000001 cub200"]
    assert parse_message(message) == Announcement(1764000000000001, "cub200")


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"pets", b"1", b"1 ", b" pets", b"-1 pets", b"1 pets ", b"1 Pets", b"1 ../x"),
        *(b"1 pets\n", b"1 -pets", b"\xff pets", b"9" * 19 + b" pets", b"1 " + b"a" * 65),
        b"x" * 10_000_000,
    ],
)
def test_what_is_not_an_announcement_is_none(data: bytes) -> None:
    assert parse_message([b"message", b"spt:published", data]) is None


@pytest.mark.parametrize(
    "message", [None, 7, [], [b"subscribe", b"c", 1], [b"message", b"c", 1], [b"message", b"c"]]
)
def test_what_is_not_a_message_is_none(message: Any) -> None:
    assert parse_message(message) is None
