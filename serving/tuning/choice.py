"""The file that `spt tune` leaves: what was measured, what is chosen, and for whom it holds."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from adapters.artifact.backbone_spec import BackboneSpec
from serving.errors import ConfigError

TUNED: Final = Path("runs/tuned.json")
PACKAGES: Final = ("torch", "onnxruntime-gpu", "openvino")
_CPU_INFO: Final = Path("/proc/cpuinfo")


class Machine(BaseModel):
    """What a measurement depends on besides the backbone.

    Attributes:
        processor: its name.
        cores: that this process may use.
        versions: of the packages that run trunks; those that are not installed are missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    cores: int
    versions: dict[str, str]


class Measured(BaseModel):
    """One candidate.

    Attributes:
        images_per_s: median over all turns.
        ratio: throughput over that of `eager`, median over the rounds.
        low: first quartile of the ratio.
        high: third quartile.
        start_s: seconds to be ready, which every start of a service costs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images_per_s: float
    ratio: float
    low: float
    high: float
    start_s: float


class Choice(BaseModel):
    """What `spt tune` found.

    Attributes:
        machine: where it was measured.
        backbone: of what.
        precision: in which the trunk computed.
        measured: by name of the candidate.
        chosen: one of those names.
        why: one line.
        backend: the chosen one's setting.
        compile: likewise.
        onnx: likewise, absolute.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Machine
    backbone: BackboneSpec
    precision: Literal["float32", "bfloat16"]
    measured: dict[str, Measured]
    chosen: str
    why: str
    backend: Literal["torch", "onnx", "openvino"]
    compile: bool
    onnx: Path | None

    def unfit(self, backbone: str, precision: str, spec: BackboneSpec | None = None) -> str | None:
        """Return why it does not hold here, in some words; None if it does.

        Args:
            backbone: name of the one that serves.
            precision: in which it is to compute.
            spec: of that backbone, where it is known.
        """
        return next(self._differences(backbone, precision, spec), None)

    def _differences(
        self, backbone: str, precision: str, spec: BackboneSpec | None
    ) -> Iterator[str]:
        if self.backbone.name != backbone:
            yield f"it is of backbone {self.backbone.name}, not {backbone}"
        if spec is not None:
            yield from self.backbone.mismatches(spec)
        if self.precision != precision:
            yield f"it is of {self.precision}, not {precision}"
        here = this_machine()
        for name in Machine.model_fields:
            then, now = getattr(self.machine, name), getattr(here, name)
            if then != now:
                yield f"{name} was {then}, and is {now}"


def this_machine() -> Machine:
    """Return what a measurement here depends on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = ((name, _version(name)) for name in PACKAGES)
    versions = {name: number for name, number in found if number is not None}
    return Machine(processor=_processor(), cores=cores or 1, versions=versions)


def write_choice(choice: Choice, path: Path) -> None:
    """Replace the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    scratch.write_text(choice.model_dump_json(indent=1) + "\n", encoding="utf-8")
    os.replace(scratch, path)


def read_choice(path: Path) -> Choice:
    """Return what the file says.

    Raises:
        ConfigError: it cannot be read, or is not what `spt tune` writes.
    """
    try:
        return Choice.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} is not what `spt tune` writes ({str(error).splitlines()[0][:200]})"
        ) from error


def holding(
    path: Path, backbone: str, precision: str, spec: BackboneSpec | None = None
) -> tuple[Choice | None, str]:
    """Return the choice that a file has, None if it does not hold here; and a line that says so.

    Args:
        path: of the file.
        backbone: as of `Choice.unfit`, and so are the others.
        precision: likewise.
        spec: likewise.
    """
    try:
        choice = read_choice(path)
        reason = choice.unfit(backbone, precision, spec)
    except ConfigError as error:
        reason = str(error)
    if reason is not None:
        return None, f"{path} is ignored: {reason}; run `spt tune` again"
    return choice, f"the backend is as `spt tune` chose: {choice.why}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
