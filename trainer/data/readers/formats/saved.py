"""Folders of `datasets.save_to_disk`: which Arrow files they hold, of which splits.

`dataset_dict.json` names the splits, each a folder; its `state.json` names the files.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trainer.data.readers.formats.columns import Features
from trainer.errors import DataError

_SPLITS: Final = "dataset_dict.json"
_STATE: Final = "state.json"
_INFO: Final = "dataset_info.json"


def is_saved(folder: Path) -> bool:
    """Tell whether a folder is one, of several splits or of one."""
    return (folder / _SPLITS).is_file() or all((folder / f).is_file() for f in (_STATE, _INFO))


def saved_files(folder: Path) -> dict[Path, str]:
    """Return the Arrow files, each with its split as written; "" for a folder without splits.

    Raises:
        DataError: a file of the folder is missing, damaged, or of a view on other rows.
    """
    if not (folder / _SPLITS).is_file():
        return dict.fromkeys(_data_files(folder), "")
    splits = _read(folder / _SPLITS, "splits")
    return {path: str(split) for split in splits for path in _data_files(folder / str(split))}


def saved_features(folder: Path) -> Features:
    """Return what `datasets` notes of the columns; empty where it notes nothing."""
    splits = _read(folder / _SPLITS, "splits") if (folder / _SPLITS).is_file() else ["."]
    features: Mapping[str, Any] = _read(folder / str(splits[0]) / _INFO, "features") or {}
    return features


def _data_files(folder: Path) -> list[Path]:
    if _read(folder / _STATE, "_indices_data_files", needed=False):
        raise DataError(
            f"{folder}: is a choice of rows that lie in other files; save it again, with "
            "dataset.flatten_indices().save_to_disk(...)"
        )
    return [folder / one["filename"] for one in _read(folder / _STATE, "_data_files")]


def _read(path: Path, key: str, *, needed: bool = True) -> Any:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return document[key] if needed else document.get(key)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; copy the whole folder of save_to_disk") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not what save_to_disk writes (no {key}: {error}); save the data set again"
        ) from error
