"""The tokens that TorchServe asks of its callers: found in its file, handed out, replaced.

TorchServe makes three keys when it starts and writes them to key_file.json in its working folder,
the launch's folder. It knows one token a kind at a time and has no period of grace. A caller reads
its token from the file `inference.token`, which changes in one step, and reads it again when it is
refused. So tokens change under traffic.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, ValidationError

from serving.errors import LaunchError
from serving.launch.private_file import write_private
from serving.launch.running import CONSOLE, Running
from serving.launch.token_file import Kind, token_file
from serving.torchserve import management

_KEY_FILE: Final = "key_file.json"
_KEYS_S: Final = 60.0
_ROOM_BYTES: Final = 16_384


class _Key(BaseModel):
    key: str


class _Keys(BaseModel):
    """TorchServe's key_file.json."""

    inference: _Key
    management: _Key
    api: _Key = Field(alias="API")


def await_tokens(folder: Path, check_alive: Callable[[], None] = lambda: None) -> None:
    """Wait until TorchServe has made its keys, and hand out the tokens among them.

    Args:
        folder: of the launch.
        check_alive: raises once it is in vain to wait.

    Raises:
        LaunchError: it has none after a minute.
    """
    give_up_at = time.monotonic() + _KEYS_S
    while (keys := _read(folder)) is None:
        check_alive()
        if time.monotonic() > give_up_at:
            raise LaunchError(
                f"TorchServe wrote no {folder / _KEY_FILE} in {_KEYS_S:g} s; see {folder / CONSOLE}"
            )
        time.sleep(0.05)
    write_private(token_file(folder), keys.inference.key)
    write_private(token_file(folder, "management"), keys.management.key)


def rotate(folder: Path, running: Running, kind: Kind) -> Path:
    """Replace a token; callers that read the returned file again are let in at once.

    Args:
        folder: of the launch.
        running: what was started there.
        kind: whose token.

    Raises:
        LaunchError: the service has no keys, or does not answer, or its disk is full.
    """
    keys, url = _read(folder), management.management_url_of(running)
    if keys is None:
        raise LaunchError(f"{folder / _KEY_FILE} is gone; start the service anew")
    _check_room(folder)
    try:
        management.renew_token(url, kind, keys.api.key)
    except OSError as error:
        raise LaunchError(
            f"{url} did not make a new token ({error}); is the service running?"
        ) from error
    await_tokens(folder)
    return token_file(folder, kind)


def forget_tokens(folder: Path) -> None:
    """Delete the keys of a TorchServe that has ended."""
    for path in (folder / _KEY_FILE, token_file(folder), token_file(folder, "management")):
        path.unlink(missing_ok=True)


def _check_room(folder: Path) -> None:
    """Refuse where TorchServe could not write its new key down: nobody would ever know it."""
    probe = folder / "probe"
    try:
        write_private(probe, "x" * _ROOM_BYTES)
        probe.unlink()
    except OSError as error:
        raise LaunchError(
            f"{folder}: no new token is made, because it could not be written ({error.strerror}); "
            "make room on the disk, or check whose folder it is"
        ) from error


def _read(folder: Path) -> _Keys | None:
    """Return TorchServe's keys, None while it has not written them all."""
    try:
        return _Keys.model_validate_json((folder / _KEY_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
