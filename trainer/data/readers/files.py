"""Lists of the official archives: lines of text, or one variable of a MATLAB file."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from trainer.errors import DataError


def load_variable(path: Path, key: str, belongs: str) -> np.ndarray:
    """Read one variable, its axes of length one dropped, as an array of at least one axis.

    Args:
        path: a MATLAB file of version 4 to 7.
        key: the variable's name.
        belongs: said when the file is missing: what the archive's folder holds.

    Raises:
        DataError: the file is missing, no MATLAB file, or without the variable.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; {belongs}")
    try:
        content = loadmat(path, squeeze_me=True)
    except Exception as error:  # scipy raises nearly anything on damaged files
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} is damaged or no MATLAB file ({reason}); fetch the archive again"
        ) from error
    if key not in content:
        found = ", ".join(k for k in content if not k.startswith("__")) or "none"
        raise DataError(
            f"{path}: expected the variable {key!r}, found {found}; fetch the archive again"
        )
    return np.atleast_1d(content[key])


def whole_numbers(path: Path, key: str, values: Any) -> list[int]:
    """Turn labels or image numbers, which MATLAB keeps as doubles, into integers.

    Raises:
        DataError: one of them is no whole number.
    """
    try:
        numbers = np.asarray(np.asarray(values).tolist(), dtype=np.float64)
        whole = numbers.ndim == 1 and bool((numbers == np.floor(numbers)).all())
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise DataError(
            f"{path}: expected whole numbers in {key!r}, found others; fetch the archive again"
        )
    return [int(n) for n in numbers]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 file, stripped, blank ones included.

    Raises:
        DataError: the file is not UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); fetch or write the "
            "list again"
        ) from error
    return [line.strip() for line in text.splitlines()]
