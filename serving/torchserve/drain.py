"""The end of a service as its callers see it: all who were let in get an answer.

TorchServe cuts every connection at once when it is told to end. So before that

1. readiness says no and the port refuses newcomers, while those who are connected are answered;
2. a flush through the queue returns when everything that had come in until then is answered;
3. the worker tells who asks on an old connection to go elsewhere (503), upon which TorchServe
   closes that connection;
4. the service is left alone once nobody is connected, or nobody has said a word for a second.
"""

import logging
import time
from typing import Final
from urllib.parse import urlsplit

import psutil

from serving.health.stop_mark import StopMark
from serving.launch.running import Running
from serving.torchserve import management
from serving.torchserve.listener import Listener

SILENT_S: Final = 1.0
"""After such a pause a caller who is still connected is not in the middle of a request."""

_log = logging.getLogger(__name__)


def drain(running: Running, mark: StopMark) -> None:
    """Return when every request that was let in is answered.

    Args:
        running: what is about to be ended.
        mark: read by its worker.

    Raises:
        OSError: the service does not answer; TimeoutError, not all was answered in `drain_s`.
    """
    give_up_at = time.monotonic() + running.drain_s
    listener = _listener_of(running)
    if listener is None:
        return
    _close(listener)
    _flush(running, give_up_at)
    mark.stop(refuse=True)
    _await_silence(listener, running, give_up_at)


def _listener_of(running: Running) -> Listener | None:
    """Return the port of those of our processes that take calls on it; None if none does."""
    port = urlsplit(running.url).port or 0
    for process in running.alive():
        try:
            found = process.net_connections("tcp")
        except psutil.Error:
            continue
        if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in found):
            return Listener(process, port)
    return None


def _close(listener: Listener) -> None:
    try:
        listener.close()
    except OSError as error:
        _log.warning(
            "the port stays open to the end, and callers of the last moment may be cut off "
            "(%s); run the service as `spt run`, on Linux",
            error,
        )


def _flush(running: Running, give_up_at: float) -> None:
    left_s = give_up_at - time.monotonic()
    if left_s <= 0:
        raise TimeoutError(f"not all requests were answered in {running.drain_s:g} s")
    management.flush(
        management.management_url_of(running),
        token_file=running.management_token_file,
        timeout_s=left_s,
    )


def _await_silence(listener: Listener, running: Running, give_up_at: float) -> None:
    """Wait until nobody is in the middle of a request."""
    began_at = time.monotonic()
    while listener.num_callers():
        _flush(running, give_up_at)
        if _silent_s(listener, began_at) > SILENT_S:
            return
        time.sleep(0.02)


def _silent_s(listener: Listener, began_at: float) -> float:
    try:
        return listener.silent_s()
    except OSError:
        return time.monotonic() - began_at
