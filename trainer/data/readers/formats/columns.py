"""Which columns of a table hold images, labels and splits; from names, and what `datasets` notes.

Knows no format: a table says its columns, and the features that the `datasets` library noted.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.shown import shown
from trainer.data.images.image_file import ImageFile
from trainer.errors import DataError

_IMAGES: Final = ("image", "img", "path")
_LABELS: Final = ("label",)
_SPLIT: Final = "split"

Features = Mapping[str, Any]
"""Column: what `datasets` notes of it, as `{"_type": "ClassLabel", "names": [...]}`."""


class Columns(NamedTuple):
    """The columns of a table that are read.

    Attributes:
        image: of paths, of encoded images, or of `{bytes, path}`.
        label: of texts or numbers.
        split: None for a table that names none.
        names: of the classes by their numbers; empty where the labels are all that is known.
    """

    image: str
    label: str
    split: str | None
    names: tuple[str, ...]

    def read(self) -> list[str]:
        """Return the columns without the images."""
        return [self.label] if self.split is None else [self.label, self.split]


class Record(NamedTuple):
    """One row: its image, and its label and split as they are written."""

    image: ImageFile
    label: Any
    split: Any


def columns_of(where: str, present: Collection[str], features: Features) -> Columns:
    """Choose the columns.

    Args:
        where: the table, for messages.
        present: its columns.
        features: what is noted of them; empty where nothing is.

    Raises:
        DataError: there is none, or there are several and none has the usual name.
    """
    image = _chosen(where, "images", present, _noted(features, "Image", present), _IMAGES)
    label = _chosen(where, "labels", present, _noted(features, "ClassLabel", present), _LABELS)
    names = features.get(label, {}).get("names", ())
    return Columns(image, label, _SPLIT if _SPLIT in present else None, tuple(map(str, names)))


def noted_features(metadata: Mapping[bytes, bytes] | None) -> Features:
    """Return what `datasets` notes in the metadata of a table; empty for other tables."""
    noted = (metadata or {}).get(b"huggingface", b"{}")
    try:
        return dict(json.loads(noted)["info"]["features"])
    except (ValueError, KeyError, TypeError):
        return {}


def _noted(features: Features, kind: str, present: Collection[str]) -> list[str]:
    return [
        name
        for name, noted in features.items()
        if name in present and isinstance(noted, dict) and noted.get("_type") == kind
    ]


def _chosen(
    where: str, of: str, present: Collection[str], noted: Sequence[str], usual: Sequence[str]
) -> str:
    if len(noted) == 1:
        return noted[0]
    found = [name for name in usual if name in (noted or present)]
    if found:
        return found[0]
    if noted:
        raise DataError(
            f"{where}: has {of} in {', '.join(map(shown, noted))}, expected one column; rename the "
            f"one that is meant to {usual[0]}"
        )
    raise DataError(
        f"{where}: has the columns {', '.join(map(shown, present))}, and none of {of}; expected "
        f"{' or '.join(usual)}"
    )
