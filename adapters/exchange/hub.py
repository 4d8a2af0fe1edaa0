"""A task as a folder for Hugging Face's hub: the artifact, a config and its card."""

import json
from pathlib import Path
from typing import Any, Final

from adapters.artifact.codec import read_contents
from adapters.artifact.meta import AdapterMeta
from adapters.exchange.folder import empty_folder, read_me

WEIGHTS: Final = "model.safetensors"

_USAGE: Final = """`model.safetensors` is the artifact itself, which `spt publish model.safetensors`
publishes as {task}. Its tensors are `prompts`, `head.weight` and `head.bias`. `config.json` has the
backbone that they need, the classes and the rule for pixels."""


def write_hub(data: bytes, folder: Path) -> None:
    """Write the folder.

    Args:
        data: the artifact; its bytes stay as they are.
        folder: not there, or empty.

    Raises:
        ArtifactCorrupt: the artifact is damaged.
        OSError: the folder is not empty, or cannot be written.
    """
    contents = read_contents(data)
    prompts = contents.tensors.get("prompts")
    config = _config(contents.meta, None if prompts is None else list(prompts.shape))
    place = empty_folder(folder)
    (place / WEIGHTS).write_bytes(data)
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (place / "config.json").write_text(text, encoding="utf-8")
    usage = _USAGE.format(task=contents.meta.task.id)
    (place / "README.md").write_text(read_me(contents.meta, data, usage), encoding="utf-8")


def _config(meta: AdapterMeta, prompts: list[int] | None) -> dict[str, Any]:
    """Return what the hub and its tools know by these names, and the rest of the meta."""
    names = meta.task.class_names
    return {
        "model_type": "spt-adapter",
        "library_name": "spt-serving",
        "num_labels": len(names),
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
        "prompts": prompts,
        "temperature": meta.temperature,
        **meta.model_dump(mode="json", exclude={"recipe", "card", "samples"}),
    }
