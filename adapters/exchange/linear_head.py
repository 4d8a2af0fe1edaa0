"""A linear head that was trained elsewhere becomes an adapter without prompts.

Axis letters: D width, C classes.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.preprocessing import Preprocessing
from adapters.artifact.task import Task
from adapters.errors import ArtifactMismatch, WeightsError
from adapters.vit.adapter import Adapter


def read_head(path: Path) -> tuple[Tensor, Tensor]:
    """Return weight `[C, D]` and bias `[C]` of an `nn.Linear`'s state dict, in float32.

    Its tensors are `weight` and maybe `bias`, under any prefix such as `fc.`; without a bias it is
    zero.

    Raises:
        WeightsError: the file cannot be read, or is not the state of one linear layer.
    """
    try:
        tensors = load(path.read_bytes())
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read as safetensors ({error}); write it with "
            "safetensors.torch.save_file(head.state_dict(), path)"
        ) from error
    weight, bias = _layer(path, tensors)
    if not (weight.isfinite().all() and bias.isfinite().all()):
        raise WeightsError(f"{path} holds NaN or infinity; train the head again")
    return weight.float(), bias.float()


def _layer(path: Path, tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    found = sorted(f"{name} {tuple(one.shape)}" for name, one in tensors.items())
    names = [name for name in tensors if name.rpartition(".")[2] == "weight"]
    if len(names) != 1 or tensors[names[0]].ndim != 2:
        raise WeightsError(
            f"{path}: expected one linear layer, `weight` [C, D] and maybe `bias` [C], found "
            f"{', '.join(found[:6]) or 'no tensor'}; save the head alone"
        )
    weight = tensors[names[0]]
    name = names[0].removesuffix("weight") + "bias"
    bias = tensors.get(name, torch.zeros(len(weight)))
    if bias.shape != weight.shape[:1] or tensors.keys() - {names[0], name}:
        raise WeightsError(
            f"{path}: expected {names[0]} {tuple(weight.shape)} and maybe {name} "
            f"({len(weight)},), found {', '.join(found[:6])}; save the head alone"
        )
    return weight, bias


def read_class_names(path: Path) -> list[str]:
    """Return class names in the order of the head's rows: a JSON list, or one a line.

    Raises:
        ArtifactMismatch: the file cannot be read, or is something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = json.loads(text) if text.lstrip().startswith("[") else text.split("\n")
    except (OSError, ValueError) as error:
        raise ArtifactMismatch(
            f"{path}: class names cannot be read ({error}); expected one a line, or a JSON list"
        ) from error
    if not all(isinstance(name, str) for name in names):
        raise ArtifactMismatch(f"{path}: expected a list of names, found other values in it")
    cleaned = [unicodedata.normalize("NFC", name.strip()) for name in names]
    while cleaned and not cleaned[-1]:  # what follows the last line
        cleaned.pop()
    return cleaned


def make_linear(
    task: str, head: Path, classes: Path, spec: BackboneSpec, rule: Preprocessing
) -> Adapter:
    """Return the adapter of a head.

    Args:
        task: its id.
        head: file of the head's state.
        classes: file of the class names.
        spec: of the backbone whose features the head was trained on.
        rule: for pixels, as in that training.

    Raises:
        WeightsError: the head cannot be read, or is not as wide as the backbone.
        ArtifactMismatch: there are more or fewer names than rows, or names that no task can have.
    """
    weight, bias = read_head(head)
    names = read_class_names(classes)
    if weight.shape[1] != spec.width:
        raise WeightsError(
            f"{head}: expected a head on {spec.width} features, the width of {spec.name}, found "
            f"{weight.shape[1]}; name the backbone that it was trained on"
        )
    if len(names) != len(weight):
        raise ArtifactMismatch(
            f"{classes}: expected {len(weight)} class names, one for each row of {head}, found "
            f"{len(names)}"
        )
    try:
        meaning = Task(id=task, class_names=tuple(names))
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ArtifactMismatch(f"{classes}: {reason}") from error
    digest = hashlib.sha256(head.read_bytes()).hexdigest()
    meta = AdapterMeta(
        task=meaning,
        method="linear",
        init=None,
        backbone=spec,
        preprocessing=rule,
        recipe={"imported": {"file": head.name, "sha256": digest}},
        metrics={},
        data_sha256=digest,
        seed=0,
        code_version=version("spt-serving"),
    )
    return Adapter(None, weight, bias, meta)
