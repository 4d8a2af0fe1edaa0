"""An image of a data set is found again by the name that a report has of it."""

from pathlib import Path

import pytest

from tests.unit.trainer.data.readers.formats.packed import (
    features,
    make_parquet,
    make_saved,
    make_shard,
    pairs,
    picture,
    table,
)
from trainer.data.readers.formats.inside import image_named
from trainer.errors import DataError
from trainer.report.pictures import picture as drawn


def test_images_are_found_by_their_names(tmp_path: Path) -> None:
    odd = tmp_path / "a!b"
    shard = make_shard(odd / "0.tar", {f"x!{name}": one for name, one in pairs("ab").items()})
    parquet = make_parquet(odd / "0.parquet", table([0, 1] * 4))
    saved = make_saved(odd / "saved", {"train": table([0, 1])}, features(["a", "b"]))
    (odd / "0.tar!1.png").write_bytes(picture(7))
    found = {
        f"{shard}!x!0001.png": 1,
        f"{parquet}!5": 5,
        f"{saved}/train/data-00000-of-00001.arrow!0": 0,
        f"{odd}/0.tar!1.png": 7,
    }
    for name, shade in found.items():
        assert image_named(name).read_bytes() == picture(shade)
        assert str(drawn(Path(name))).startswith("data:image/png;base64,")


def test_what_is_not_there_is_told_and_not_drawn(tmp_path: Path) -> None:
    shard = make_shard(tmp_path / "0.tar", pairs("ab"))
    with pytest.raises(DataError, match=r"0\.tar!9\.png: is not in .*0\.tar"):
        image_named(f"{shard}!9.png")
    with pytest.raises(OSError, match=r"1\.tar!9\.png"):
        image_named(f"{tmp_path}/1.tar!9.png").read_bytes()
    for name in ("0.tar!9.png", "1.tar!9.png", "gone.png"):
        assert drawn(tmp_path / name) is None
