"""How far FP8 can be trusted: measured on the device that serves, kept in a file, read at start."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.backbone import Backbone
from serving.errors import ExportError
from serving.forward.prompts import gather_prompts
from serving.rounding.agreement import Agreement, Sample, compare, settle
from serving.rounding.backend import Fp8Backend
from serving.rows.resident import Resident
from serving.trunk.backend import Backend

REPORT: Final = "fp8.json"


class Measurement(BaseModel):
    """What `fp8.json` says.

    Attributes:
        backbone: which trunk, read out how.
        device: what it was measured on.
        torch: its version.
        doubt: margin below which a row is computed again in bfloat16; 0 if none is.
        agreement: with bfloat16, per task.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: BackboneSpec
    device: str
    torch: str
    doubt: float
    agreement: dict[str, Agreement]


def measure_fp8(
    backbone: Backbone, folder: Path, samples: Mapping[str, Sample], floor: float
) -> Measurement:
    """Compare FP8 with the backbone as it is, and write what came of it.

    Args:
        backbone: bfloat16, on a device that has FP8.
        folder: made if there is none; an older measurement is replaced.
        samples: by task; one at least, of two images at least.
        floor: the smallest share of a task's images whose best class must be the exact one.

    Raises:
        ConfigError: a layer of the backbone cannot be rounded.
        ExportError: some task stays below the floor; nothing is written.
    """
    backend = Fp8Backend(backbone, doubt=0.0)
    ways = partial(_features, backend.exact), partial(_features, backend.rounded)
    seen = {task: compare(sample, *ways) for task, sample in samples.items()}
    settled = settle(seen, floor)
    settled.demand(floor, f"fp8 of {backbone.spec.name}", "bfloat16")
    on_gpu = backbone.device.type == "cuda"
    device = torch.cuda.get_device_name(backbone.device) if on_gpu else backbone.device.type
    found = Measurement(
        backbone=backbone.spec,
        device=device,
        torch=torch.__version__,
        doubt=settled.doubt,
        agreement=settled.agreement,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return found


def read_measurement(folder: Path, spec: BackboneSpec) -> Measurement:
    """Return what was measured.

    Raises:
        ExportError: there is no measurement, a damaged one, or one of another backbone.
    """
    again = f"run `spt export --precision fp8` for {spec.name}"
    try:
        found = Measurement.model_validate_json((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise ExportError(
            f"no measurement of fp8 in {folder} ({str(error)[:200]}); {again}"
        ) from error
    if differences := found.backbone.mismatches(spec):
        raise ExportError(
            f"the measurement in {folder} is not of the backbone that serves "
            f"({'; '.join(differences)}); {again}"
        )
    return found


def _features(backend: Backend, pixels: Tensor, residents: Sequence[Resident]) -> Tensor:
    form = residents[0].form
    prompts = gather_prompts(backend.backbone, form, residents, backend.key_alignment)
    return backend.features(form, pixels, prompts)
