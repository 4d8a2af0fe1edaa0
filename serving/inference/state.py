"""What can be counted of the process that owns the device, at one moment. Loads no torch."""

from typing import NamedTuple


class Memory(NamedTuple):
    """Of the device, in bytes."""

    used: int
    total: int


class Redis(NamedTuple):
    """What is known of Redis.

    Attributes:
        is_up: whether it answered the last command.
        failures: commands that failed or were refused, so far.
    """

    is_up: bool
    failures: int


class Trunk(NamedTuple):
    """What runs the trunk, as the settings call it.

    Attributes:
        version: of this package.
        backbone: its name.
        precision: of the trunk.
        backend: likewise.
    """

    version: str
    backbone: str
    precision: str
    backend: str


class State(NamedTuple):
    """The adapters on the device, and what they come from.

    Attributes:
        bank_bytes: of all resident adapters.
        bank_limit_bytes: their budget.
        adapters: how many there are.
        versions: different ones among them.
        hits: adapters that were there when a batch needed them, so far.
        misses: those that had to be loaded.
        evictions: those that had to go.
        stand_ins: versions that should answer now, and that another one answers for.
        redis: None where there is none.
        store_is_up: whether the store answers.
        memory: of a CUDA device.
        trunk: None where nobody has said.
    """

    bank_bytes: int
    bank_limit_bytes: int
    adapters: int
    versions: int
    hits: int
    misses: int
    evictions: int
    stand_ins: int
    redis: Redis | None
    store_is_up: bool
    memory: Memory | None
    trunk: Trunk | None
