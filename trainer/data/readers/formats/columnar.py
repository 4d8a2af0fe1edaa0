"""Tables of columns: Parquet lists, snapshots of the Hugging Face hub, folders of `save_to_disk`.

Images are in the cells, or in files that the cells name. The library for such files, pyarrow, is
an extra, and is loaded only here.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from trainer.data.listed import Row, known_split, label_texts, task_of
from trainer.data.readers.formats.columns import Columns, Features, Record
from trainer.data.readers.formats.footer import may_be_list
from trainer.data.readers.formats.readme import described, names_files
from trainer.data.readers.formats.saved import is_saved, saved_features, saved_files
from trainer.data.readers.formats.shards import dividing, shards_at, splits_of
from trainer.data.readers.vtab import CLASSES, read_class_names
from trainer.data.task_data import TaskData
from trainer.errors import DataError

_ENDING = ".parquet"


def is_columnar(place: Path) -> bool:
    """Tell whether a place is such a folder, or a Parquet file or a pattern of them."""
    if not place.is_dir():
        return place.name.lower().endswith(_ENDING)
    lists = any(map(may_be_list, shards_at(place, _ENDING)))
    return lists or is_saved(place) or names_files(place, _ENDING)


def read_columnar(place: Path, name: str, seed: int) -> TaskData:
    """Read the labels of all rows; the images stay in their files.

    Splits are those of a column `split`, or of the files, by a README or their names.

    Raises:
        DataError: there is no file, one is missing, cut or lacks a column, a row has no label, or
            pyarrow is not installed.
    """
    files, features = _files_of(place)
    if not files:
        raise DataError(f"{name}: {place} matches no file, expected Parquet files; correct DATA=")
    files = {path.absolute(): split for path, split in files.items()}  # as cells may name others
    tables = {path: _table(path, features) for path in files}
    rows = [row for path, table in tables.items() for row in _rows(path, *table, files[path])]
    names = _names(place, [columns for columns, _ in tables.values()])
    listed = read_class_names(next(iter(files)).parent / CLASSES)
    return task_of(place, name, rows, seed, names or listed)


def _table(path: Path, features: Features) -> tuple[Columns, list[Record]]:
    if not path.is_file():
        raise DataError(f"{path} is missing; fetch it again, or correct DATA=")
    return reader_for(path)(path, features)


def reader_for(path: Path) -> Callable[[Path, Features], tuple[Columns, list[Record]]]:
    """Return what reads the columns and rows of a file, by its ending.

    Raises:
        DataError: pyarrow is not installed.
    """
    try:
        from trainer.data.readers.formats.arrow import read_arrow  # noqa: PLC0415
        from trainer.data.readers.formats.parquet import read_parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DataError(
            f"{path}: needs {error.name}, which is not installed; pip install 'spt-serving[data]'"
        ) from error
    return read_arrow if path.suffix == ".arrow" else read_parquet


def _files_of(place: Path) -> tuple[dict[Path, str], Features]:
    """Return the files of a place, each with its split under our name, and what is noted."""
    if is_saved(place):
        return _known(place, saved_files(place)), saved_features(place)
    named, features = described(place)
    return _known(place, named) or splits_of(shards_at(place, _ENDING)), features


def _known(place: Path, files: dict[Path, str]) -> dict[Path, str]:
    return dividing({path: known_split(str(place), split) for path, split in files.items()})


def _rows(path: Path, columns: Columns, records: Sequence[Record], split: str) -> list[Row]:
    rows = []
    for number, record in enumerate(records):
        where = f"{path}!{number}"
        own = known_split(where, str(record.split).strip()) if record.split else split
        rows.append(Row(record.image, label_texts(where, record.label), own))
    return rows


def _names(place: Path, tables: Sequence[Columns]) -> Sequence[str]:
    """Return the names of the classes, which all files have alike; empty where none is noted.

    Raises:
        DataError: they differ between files.
    """
    named = {columns.names for columns in tables}
    if len(named) > 1:
        raise DataError(
            f"{place}: its files name different classes; write them again from one data set"
        )
    return next(iter(named))
