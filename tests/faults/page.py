"""The rows as a page next to the summary."""

import json
from pathlib import Path
from typing import Any

from trainer.page.template import render_page

_TEMPLATE = Path(__file__).parent / "page.html"
_MACHINE = ("measured_at", "short", "cpu", "cores", "accelerator", "system", "python", "packages")


def write_page(summary: Path) -> Path:
    """Write a saved summary as `report.html` next to it; return its path."""
    rows: list[dict[str, Any]] = json.loads(summary.read_text())
    first = rows[0]["conditions"] if rows else {}
    page = render_page(
        _TEMPLATE,
        rows=rows,
        held=sum(row["holds"] for row in rows),
        machine={name: first.get(name) for name in _MACHINE},
    )
    path = summary.with_name("report.html")
    path.write_text(page, encoding="utf-8")
    return path
