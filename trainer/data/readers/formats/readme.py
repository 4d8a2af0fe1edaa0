"""What the README of a data set on the Hugging Face hub says of its files: splits and columns.

It begins with YAML, whose `configs` name the files and whose `dataset_info` names the columns.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from adapters.shown import shown
from trainer.data.readers.formats.columns import Features
from trainer.errors import DataError

README: Final = "README.md"
_FENCE: Final = "---\n"

_Part = Mapping[str, Any]


def names_files(folder: Path, ending: str) -> bool:
    """Tell whether a README names files that are there and have this ending."""
    configs = _parts(_head(folder), "configs")
    return any(path.suffix == ending for one in configs for path in _files(folder, one))


def described(folder: Path) -> tuple[dict[Path, str], Features]:
    """Return the files that the README names, each with its split as written, and its columns.

    The columns are as `datasets` notes them in a file. Both are empty where it names none.

    Raises:
        DataError: it names several sets of files, none of them the default.
    """
    head = _head(folder)
    config = _default(folder, _parts(head, "configs"))
    infos = _parts(head, "dataset_info")
    named = [info for info in infos if info.get("config_name") == config.get("config_name")]
    columns = [column for info in (named or infos)[:1] for column in _parts(info, "features")]
    features = {str(column.get("name")): _feature(column.get("dtype")) for column in columns}
    return _files(folder, config), features


def _head(folder: Path) -> _Part:
    """Return what the README begins with; nothing where it begins otherwise, as any other may."""
    try:
        text = (folder / README).read_text(encoding="utf-8-sig")
        head, *_ = text.removeprefix(_FENCE).split(f"\n{_FENCE}", 1)
        found = yaml.safe_load(head) if text.startswith(_FENCE) else None
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _default(folder: Path, configs: list[_Part]) -> _Part:
    default = [c for c in configs if c.get("default") or c.get("config_name") == "default"]
    chosen = default or configs
    if len(chosen) > 1:
        names = ", ".join(shown(str(config.get("config_name"))) for config in chosen)
        raise DataError(
            f"{folder / README} names several sets of files ({names}), none as the default; pass "
            "the folder of one as DATA="
        )
    return chosen[0] if chosen else {}


def _files(folder: Path, config: _Part) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for entry in _parts(config, "data_files"):
        named = entry.get("path")
        for pattern in named if isinstance(named, list) else [named]:
            files = folder.glob(str(pattern).lstrip("/") or "-")
            found.update(dict.fromkeys(sorted(files), str(entry.get("split") or "")))
    return found


def _feature(dtype: Any) -> _Part:
    if dtype == "image":
        return {"_type": "Image"}
    if isinstance(dtype, dict) and isinstance(label := dtype.get("class_label"), dict):
        names = label.get("names", [])
        ordered = sorted(names, key=int) if isinstance(names, dict) else range(len(names))
        return {"_type": "ClassLabel", "names": [names[key] for key in ordered]}
    return {}


def _parts(of: _Part, key: str) -> list[_Part]:
    """Return the dicts of what may be one, a list of them, or anything that somebody wrote."""
    found = of.get(key)
    several = found if isinstance(found, list) else [found]
    return [one for one in several if isinstance(one, dict)]
