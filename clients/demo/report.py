"""The report: one HTML file with everything in it, from what the demo found out.

Decides what is shown; `figures` prepares it, `report.html` lays it out.
"""

from pathlib import Path
from typing import Any, Final

from clients.demo.figures import (
    accuracy_curve,
    batch_mix,
    gains,
    latencies,
    loss_curve,
    mistakes,
    samples,
    swap_timeline,
)
from clients.demo.scenario import DemoResult
from clients.demo.summary import TaskSummary
from clients.demo.terminal import takeover
from clients.demo.trained import Trained
from trainer.page.template import render_page

_TEMPLATE: Final = Path(__file__).parent / "report.html"


def render(result: DemoResult) -> str:
    """Return the report's HTML; it asks nothing of the network and runs no script."""
    summary = result.summary
    return render_page(
        _TEMPLATE,
        summary=summary,
        faults=summary.faults(),
        gains=gains(result.runs),
        tasks=[
            _task(name, task, result.runs[name]["linear"], result.runs[name]["spt-deep"])
            for name, task in summary.tasks.items()
        ],
        latencies=latencies(result.records, summary.served),
        batch_mix=batch_mix(result.records),
        timeline=swap_timeline(result.records, summary.swap),
        takeover=takeover(summary.swap),
    )


def _task(name: str, task: TaskSummary, linear: Trained, prompts: Trained) -> dict[str, Any]:
    return {
        "name": name,
        "summary": task,
        "class_names": prompts.metrics.class_names,
        "samples": samples(prompts),
        "mistakes": mistakes(prompts),
        "num_mistakes": sum(not p.is_right for p in prompts.predictions),
        "curves": [
            loss_curve(name, prompts.metrics),
            accuracy_curve(name, prompts.metrics, linear.metrics),
        ],
    }
