"""Importing the client costs little more than what it stands on: httpx and pydantic."""

import resource
import subprocess
import sys

ROUNDS = 5
NOTHING = "pass"
NO_COMMAND = "import sys; sys.modules['httpx._main'] = None"
"""Of httpx, which loads rich and click where they are."""

CLIENT = "from clients import Client, AsyncClient, ClientError"
FLOOR = """
import httpx, pydantic
class Model(pydantic.BaseModel): number: int
"""


def processor_s(*programs: str) -> list[float]:
    """Return the least processor time that each takes, in turns: other processes slow all down."""
    taken: list[list[float]] = [[] for _ in programs]
    for _ in range(ROUNDS):
        for program, times in zip(programs, taken, strict=True):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", program], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return [min(times) for times in taken]


def test_it_costs_less_than_twice_what_httpx_and_pydantic_cost() -> None:
    nothing, floor, client = processor_s(NOTHING, NO_COMMAND + FLOOR, f"{NO_COMMAND}; {CLIENT}")
    assert client - nothing < 2 * (floor - nothing)


def test_it_loads_no_arrays_and_no_images() -> None:
    idle = {"numpy", "PIL", "pandas", "torch", "opentelemetry"}
    code = f"import sys; {CLIENT}; print(*sorted({idle!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
