"""The report of a fleet: one page for people, and the same as JSON for programs."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from adapters.store import durable
from trainer.fleet.fleet import Standing
from trainer.fleet.kept import REPORT
from trainer.page.template import render_page

JSON: Final = "report.json"


def write_report(folder: Path, standings: Sequence[Standing]) -> Path:
    """Write `report.html` and `report.json` into the fleet's folder; return the page's path.

    A page of a task is linked if its run left one. The page runs no script and asks nothing of the
    network.
    """
    document = document_of(folder, standings)
    durable.write(folder / JSON, json.dumps(document, indent=1).encode())
    page = render_page(Path(__file__).parent / "fleet.html", **document)
    durable.write(folder / REPORT, page.encode())
    return folder / REPORT


def document_of(folder: Path, standings: Sequence[Standing]) -> dict[str, Any]:
    """Return how all tasks stand, as JSON has it; scores are None before they are known."""
    rows = [_row(folder, one) for one in standings]
    counts = Counter(one.state for one in standings)
    return {
        "tasks": rows,
        "finished": counts["finished"] + counts["finished already"],
        "failed": counts["failed"],
        "unfinished": counts["waiting"] + counts["running"],
        "train_seconds": sum(one.scores.seconds for one in standings if one.scores is not None),
    }


def _row(folder: Path, standing: Standing) -> dict[str, Any]:
    job, page = standing.job, standing.job.folder / "report.html"
    scores = standing.scores if standing.is_finished else None
    return {
        "task": job.task,
        "state": standing.state if standing.state != "running" else "waiting",
        "backbone": job.recipe.backbone,
        "method": job.recipe.method,
        "seed": job.recipe.seed,
        "tries": standing.tries,
        "reason": standing.reason or None,
        "report": page.relative_to(folder).as_posix() if scores and page.is_file() else None,
        "scores": None if scores is None else scores.model_dump(),
    }
