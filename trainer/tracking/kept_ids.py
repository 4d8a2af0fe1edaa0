"""By which name a service knows a run: kept in the run's folder, so that a resumed run goes on."""

import json
from pathlib import Path
from typing import Final

from adapters.store import durable

FILE: Final = "tracking.json"


def kept_id(folder: Path, service: str) -> str | None:
    """Return what `keep_id` left, None where it is unknown."""
    found = _read(folder).get(service)
    return found if isinstance(found, str) else None


def keep_id(folder: Path, service: str, run_id: str) -> None:
    """Keep a service's name of the run next to those of the others."""
    content = _read(folder) | {service: run_id}
    durable.write(folder / FILE, json.dumps(content, indent=1).encode())


def _read(folder: Path) -> dict[str, object]:
    content = durable.bytes_or_none(folder / FILE)
    try:
        found = json.loads(content or b"{}")
    except ValueError:  # the service will know the run by a new name
        return {}
    return found if isinstance(found, dict) else {}
