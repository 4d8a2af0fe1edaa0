"""Download of one official archive, only when somebody asks for it.

A file grows as `<name>.partial` and gets its name once it is whole and has the published digest;
an interrupted download goes on where it stopped. Nothing is unpacked outside its folder.
"""

import hashlib
import re
import zlib
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from backports import tarfile  # Python before 3.11.4 has no filters

from trainer.data.public.task import Archive
from trainer.errors import DataError

Watch = Callable[[int, int | None], None]
"""Told the bytes so far and, where the server says so, in all."""

_PATIENCE_S = 60
_CHUNK = 1 << 20


def fetch(archive: Archive, folder: Path, watch: Watch) -> str:
    """Download one archive into `folder`, unless it is there, verify it and unpack it.

    Args:
        archive: what to fetch.
        folder: made when absent.
        watch: told of every megabyte.

    Returns:
        The file's digest, such as `"md5 97ec…, as published"` or `"sha256 …"`.

    Raises:
        DataError: the server cannot be reached, stops early, or sends something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / archive.name
    if not target.is_file():
        partial = folder / f"{archive.name}.partial"
        _download(archive.url, partial, watch)
        digest = _verify(archive, partial)
        partial.rename(target)
    else:
        digest = _verify(archive, target)
    _unpack(target, folder)
    return digest


def _download(url: str, partial: Path, watch: Watch) -> None:
    done = partial.stat().st_size if partial.is_file() else 0
    request = Request(url, headers={"User-Agent": "spt-serving", "Range": f"bytes={done}-"})
    try:
        with urlopen(request, timeout=_PATIENCE_S) as response:
            _save(response, partial, done, watch)
    except HTTPError as error:
        if error.code != 416 or not _is_whole(error, done):
            raise DataError(
                f"{url}: the server answered {error.code} {error.reason}; fetch it by hand into "
                f"{partial.parent} and run the same command again"
            ) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{url} is not downloaded ({reason}): this command needs the network; run it again to "
            f"go on, or fetch the file by hand into {partial.parent}"
        ) from error


def _is_whole(error: HTTPError, done: int) -> bool:
    """416 answers a request for what lies behind the end: nothing is missing."""
    return str(error.headers.get("Content-Range", "")).rpartition("/")[2] == str(done)


def _save(response: HTTPResponse, partial: Path, done: int, watch: Watch) -> None:
    start = done if response.status == 206 else 0
    length = response.headers.get("Content-Length")
    total = None if length is None else start + int(length)
    written = start
    with partial.open("ab" if start else "wb") as file:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            written += len(chunk)
            watch(written, total)
    if total is not None and written < total:
        raise OSError(f"the connection closed after {written:,} of {total:,} bytes")


def _verify(archive: Archive, path: Path) -> str:
    kind = "md5" if archive.md5 else "sha256"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, kind).hexdigest()
    if archive.md5 is None:
        return f"{kind} {found}, none is published"
    if found != archive.md5:
        path.rename(path.with_name(f"{archive.name}.wrong"))
        raise DataError(
            f"{path}: expected md5 {archive.md5}, found {found}; it is now {archive.name}.wrong, "
            "run the same command to fetch it again"
        )
    return f"{kind} {found}, as published"


def _unpack(path: Path, folder: Path) -> None:
    if not re.search(r"\.(tar|tgz|tar\.gz)$", path.name):
        return
    try:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} cannot be unpacked ({reason}); delete it and run the same command again"
        ) from error
