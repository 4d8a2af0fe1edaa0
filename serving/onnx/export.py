"""The frozen trunk as one ONNX file for all tasks: pixels, keys and values in, features out.

Heads stay outside. A folder holds `trunk.onnx`, its weights next to it, and `trunk.json`, which
says what it was made from and how far it is from torch.
Axis letters: B batch, L layers, P prompts, D width, h heads, d head width, H W pixels.
"""

import hashlib
import logging
import shutil
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import onnx
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.backbone import Backbone
from serving.errors import ExportError
from serving.onnx.comparison import errors_against_torch, random_inputs
from serving.onnx.graph import PromptedTrunk
from serving.onnx.session import open_session, run_session
from serving.rounding.agreement import Agreement

OPSET: Final = 20
MAX_ERROR: Final = 1e-5
FORMAT: Final = 2
"""Of an export: 2 has a mask for each block, 1 had one for all."""

GRAPH: Final = "trunk.onnx"
REPORT: Final = "trunk.json"

Runtime = Literal["onnx", "openvino"]


class Export(BaseModel):
    """What `trunk.json` says.

    Attributes:
        backbone: which trunk, read out how.
        precision: of its matrix products.
        runtime: that int8 was measured in; any reads a float32 graph.
        format: what the graph takes, see `FORMAT`.
        opset: of the graph.
        versions: of the packages that made and checked it.
        errors: largest difference from torch, relative to the largest feature, per case.
        doubt: margin below which a row is computed again in float32; 0 if none is.
        agreement: with float32, per task; int8 only.
        files: sha256 of each file next to this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: BackboneSpec
    precision: str
    runtime: Runtime = "onnx"
    format: int = 1
    opset: int
    versions: dict[str, str]
    errors: dict[str, float]
    doubt: float = 0.0
    agreement: dict[str, Agreement] | None = None
    files: dict[str, str]


def export_trunk(backbone: Backbone, folder: Path) -> Export:
    """Write a float32 trunk, check it, and compare it with torch.

    Args:
        backbone: on the CPU, float32; its own read-out is exported.
        folder: replaced if it exists.

    Raises:
        ExportError: the backbone is not float32, or torch and the graph differ by more than
            `MAX_ERROR`; nothing is written.
    """
    if backbone.dtype != torch.float32:
        raise ExportError(f"an export starts from float32 weights, found {backbone.dtype}")
    scratch = fresh(folder)
    try:
        _write_graph(backbone, scratch / GRAPH)
        errors = errors_against_torch(backbone, partial(run_session, open_session(scratch / GRAPH)))
        worst = max(errors, key=lambda case: errors[case])
        if not errors[worst] <= MAX_ERROR:
            raise ExportError(
                f"export of {backbone.spec.name}: {worst} differ from torch by "
                f"{errors[worst]:.1e}, at most {MAX_ERROR:.0e} is allowed; nothing was written"
            )
        export = write_report(scratch, backbone.spec, "float32", errors=errors)
        put_in_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return export


def read_export(folder: Path) -> Export:
    """Return what an export says of itself, after checking that its files are whole.

    Raises:
        ExportError: there is none, it has another format, or a file is missing or is not what was
            exported.
    """
    again = "run `spt export` again"
    try:
        export = Export.model_validate_json((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise ExportError(f"no export in {folder} ({str(error)[:200]}); {again}") from error
    if export.format != FORMAT:
        raise ExportError(
            f"the export in {folder} has format {export.format}, this program takes {FORMAT}; "
            f"{again}"
        )
    for name, digest in export.files.items():
        path = folder / name
        if not path.is_file() or _sha256(path) != digest:
            raise ExportError(f"{path} is missing or is not what was exported; {again}")
    return export


def fresh(folder: Path) -> Path:
    """Return an empty folder next to `folder`."""
    scratch = folder.with_name(folder.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return scratch


def write_report(scratch: Path, spec: BackboneSpec, precision: str, **found: Any) -> Export:
    """Describe the files of a folder in its `trunk.json`; `found` are the other fields."""
    export = Export(
        backbone=spec,
        precision=precision,
        format=FORMAT,
        opset=OPSET,
        versions={name: version(name) for name in ("torch", "onnx", "onnxruntime-gpu")},
        files={path.name: _sha256(path) for path in sorted(scratch.iterdir())},
        **found,
    )
    (scratch / REPORT).write_text(export.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return export


def put_in_place(scratch: Path, folder: Path) -> None:
    """Let a finished folder take the place of the old one."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    scratch.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write_graph(backbone: Backbone, path: Path) -> None:
    rows, prompts = torch.export.Dim("rows"), torch.export.Dim("prompts")
    inputs = random_inputs(backbone, rows=2, prompts=3)
    shapes = {"pixels": {0: rows}, "prefix": {0: rows, 2: prompts}, "mask": {0: rows, 2: prompts}}
    if "last" in inputs:
        shapes["last"] = {0: rows, 1: torch.export.Dim("last")}
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter deprecates parts of itself
        program = torch.onnx.export(
            PromptedTrunk(backbone).eval(),
            kwargs=inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=["features"],
            dynamic_shapes=shapes,
            verbose=False,
        )
    assert program is not None, "the dynamo exporter returns a program"
    program.save(path, external_data=True)
    onnx.checker.check_model(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
