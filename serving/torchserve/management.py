"""TorchServe's management API, as far as we need it. Knows HTTP; starts and ends nothing."""

import json
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.launch.loopback import ask
from serving.launch.running import Running
from serving.protocol import TASK_HEADER

_NO_TASK = "no-task-at-all"
PULSE = "a-pulse"
"""In a description's header of tasks: nothing is described, but a row of nothing is computed."""


def management_url_of(running: Running) -> str:
    """Return the address of a TorchServe's management API."""
    assert running.management_url is not None, "the record of another front"
    return running.management_url


def is_ready(management_url: str, model: str = "spt", *, token_file: Path | None = None) -> bool:
    """Whether a worker is READY; TorchServe's own /ping says Healthy while its workers are dead.

    Args:
        management_url: such as http://127.0.0.1:8081.
        model: its name.
        token_file: holds what the API must be sent; None where it takes everybody's word.
    """
    try:
        models = _get(f"{management_url}/models/{model}", token_file, timeout_s=2.0)
    except (OSError, ValueError):
        return False
    return any(worker["status"] == "READY" for entry in models for worker in entry["workers"])


def flush(
    management_url: str, model: str = "spt", *, token_file: Path | None = None, timeout_s: float
) -> None:
    """Return once everything that waits for an answer now has been answered.

    A description goes to the worker through the queue of predictions, so its answer comes last.

    Raises:
        OSError: nothing listens there, or it took longer than `timeout_s`.
    """
    _describe(management_url, model, _NO_TASK, token_file, timeout_s)


def ask_for_pulse(
    management_url: str, model: str = "spt", *, token_file: Path | None = None, timeout_s: float
) -> None:
    """Have the worker compute a row of nothing when its turn comes, and wait for that.

    Raises:
        OSError: nothing listens there, or it took longer than `timeout_s`.
    """
    _describe(management_url, model, PULSE, token_file, timeout_s)


def _describe(
    management_url: str, model: str, tasks: str, token_file: Path | None, timeout_s: float
) -> None:
    try:
        url = f"{management_url}/models/{model}?customized=true"
        _get(url, token_file, timeout_s=timeout_s, headers={TASK_HEADER: tasks})
    except (urllib.error.HTTPError, ValueError):
        pass  # any answer will do: it came after the others


def renew_token(management_url: str, kind: str, api_key: str) -> None:
    """Make TorchServe replace its token of one kind, which ends the one before at once.

    Args:
        management_url: such as http://127.0.0.1:8081.
        kind: "inference" or "management".
        api_key: TorchServe's third key, good for this alone.

    Raises:
        OSError: nothing listens there, or it refused.
    """
    ask(f"{management_url}/token?type={kind}", {"Authorization": f"Bearer {api_key}"}, 10.0)


def is_description_call(row: Mapping[str, Any], headers: Mapping[str, Any]) -> bool:
    """Return whether a row is TorchServe's own describe call, which only its management API makes.

    TorchServe marks it with a header that any caller of the inference API may send as well; but
    what they send has a body, or is a form and says so.
    """
    is_form = any(name.lower() == "content-type" for name in headers)
    return not row and headers.get("describe") == "True" and not is_form


def _get(
    url: str, token_file: Path | None, *, timeout_s: float, headers: dict[str, str] | None = None
) -> Any:
    sent = dict(headers or {})
    if token_file is not None:
        sent["Authorization"] = f"Bearer {token_file.read_text(encoding='utf-8').strip()}"
    return json.loads(ask(url, sent, timeout_s))
