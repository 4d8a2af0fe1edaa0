"""What every benchmark leaves: one JSON document with its conditions."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from tests.bench.measure import Spread
from tests.bench.processor import has_bfloat16, has_int8_dot_products

PACKAGES = ("torch", "timm", "onnxruntime-gpu", "openvino", "torchserve", "pillow", "numpy")


@dataclass(frozen=True)
class Settings:
    """How a benchmark is run.

    Attributes:
        out: folder of the result.
        short: fewer rounds and sizes, to see that it runs; its numbers mean little.
        weights: a real checkpoint of ViT-Ti/16, None for random weights.
        store: an adapter store with real tasks of that checkpoint, None for random adapters.
        data: folder with those tasks' images.
    """

    out: Path
    short: bool = False
    weights: Path | None = None
    store: Path | None = None
    data: Path | None = None


@dataclass
class Result:
    """What one benchmark found.

    Attributes:
        name: of the benchmark, and of its files.
        ratios: the figures that goals are set for, some by a setting; None where one was not
            measured.
        spreads: the quartiles behind a ratio.
        rows: everything measured, one flat dictionary each; the printed table.
        notes: what a reader must know to read the numbers.
    """

    name: str
    ratios: dict[str, float | dict[str, float] | None] = field(default_factory=dict)
    spreads: dict[str, tuple[float, float]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_ratio(self, name: str, spread: Spread) -> None:
        """Note a figure and its quartiles."""
        self.ratios[name] = round(spread.median, 4)
        self.spreads[name] = (round(spread.low, 4), round(spread.high, 4))

    def save(self, settings: Settings) -> Path:
        """Write `<name>.json` with the conditions it was measured under; return its path."""
        settings.out.mkdir(parents=True, exist_ok=True)
        path = settings.out / f"{self.name}.json"
        document = asdict(self) | {"conditions": conditions(short=settings.short)}
        path.write_text(json.dumps(document, indent=1) + "\n")
        return path


def conditions(*, short: bool) -> dict[str, Any]:
    """Return the machine and the software."""
    cuda = torch.cuda.is_available()
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "short": short,
        "cpu": cpu_name(),
        "cpu_features": torch.backends.cpu.get_cpu_capability(),
        "bf16_matrix_unit": "amx_bf16" in Path("/proc/cpuinfo").read_text(),
        "bf16_instructions": has_bfloat16(),
        "int8_dot_products": has_int8_dot_products(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if cuda else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _installed(name) for name in PACKAGES},
        "load_before": os.getloadavg()[0],
    }


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
