"""Lists as text files."""

from pathlib import Path

from trainer.errors import DataError


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
