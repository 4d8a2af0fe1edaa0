"""What TorchServe's front may hold at once fits into the memory that it is given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.config import MAX_BODY_BYTES
from serving.errors import ConfigError
from serving.java.memory import FRONT_MEMORY_BYTES, front_memory, least_memory, memory_of_machine

MIB = 1 << 20


@given(
    memory=st.integers(512 * MIB, 64 << 30),
    body=st.integers(1, 200 * MIB),
    batch=st.integers(1, 256),
)
def test_all_that_is_let_in_fits_whatever_the_settings(memory: int, body: int, batch: int) -> None:
    try:
        plan = front_memory(memory, body, batch)
    except ConfigError:
        return
    assert plan.heap_bytes + plan.direct_bytes <= memory
    assert plan.heap_bytes > (plan.queue + batch) * body
    assert plan.direct_bytes > (2 * batch + plan.arriving) * body
    assert min(plan.queue, plan.arriving) >= batch


@given(body=st.integers(1, 200 * MIB), batch=st.integers(1, 256))
def test_what_a_refusal_says_would_do_does(body: int, batch: int) -> None:
    with pytest.raises(
        ConfigError, match=r"front_memory_bytes.*image_limits\.max_bytes"
    ) as refused:
        front_memory(64 * MIB, body, batch)
    said = str(refused.value)
    least = int(said.partition("give it ")[2].partition(", or")[0].replace(",", ""))
    assert least == least_memory(body, batch)
    assert front_memory(least, body, batch).queue >= batch
    largest = int(said.rpartition(" to ")[2].replace(",", ""))
    if largest > 0:
        assert front_memory(64 * MIB, largest, batch).queue >= batch


def test_hundreds_of_photos_wait_with_the_defaults() -> None:
    assert front_memory(FRONT_MEMORY_BYTES, MAX_BODY_BYTES, 32).queue >= 450


def test_java_is_told_whole_megabytes() -> None:
    plan = front_memory(FRONT_MEMORY_BYTES, 10_000_000, 32)
    heap, direct = plan.flags
    assert heap == f"-Xmx{plan.heap_bytes // MIB}m"
    assert direct == f"-XX:MaxDirectMemorySize={plan.direct_bytes // MIB}m"


def test_a_container_counts_as_the_machine(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = memory_of_machine()
    assert whole > 256 * MIB
    limit = tmp_path / "memory.max"
    monkeypatch.setattr("serving.java.memory._CONTAINER", limit)
    for text, expected in (("1000\n", 1000), ("max\n", None), (f"{1 << 60}\n", None)):
        limit.write_text(text)
        found = memory_of_machine()
        assert found == expected or (expected is None and found > 256 * MIB)
