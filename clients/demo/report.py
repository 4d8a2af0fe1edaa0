"""The report: one HTML file with everything in it, from what the demo found out.

Decides what is shown; `figures` prepares it, `report.html` lays it out.
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clients.demo import wording
from clients.demo.drawing import Chart
from clients.demo.figures import (
    accuracy_curve,
    batch_mix,
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


def render(evidence: DemoResult) -> str:
    """Return the report's HTML; it asks nothing of the network and runs no script."""
    summary = evidence.summary
    return _environment().get_template("report.html").render(
        summary=summary,
        faults=summary.faults(),
        tasks=[
            _task(name, task, evidence.runs[name]["linear"], evidence.runs[name]["spt-deep"])
            for name, task in summary.tasks.items()
        ],
        latencies=latencies(evidence.records, summary.served),
        batch_mix=batch_mix(evidence.records),
        timeline=swap_timeline(evidence.records, summary.swap),
        takeover=takeover(summary.swap),
    )  # fmt: skip


def _task(name: str, task: TaskSummary, linear: Trained, prompts: Trained) -> dict[str, Any]:
    curves: list[Chart] = [
        loss_curve(name, prompts.metrics),
        accuracy_curve(name, prompts.metrics, linear.metrics),
    ]
    return {
        "name": name,
        "summary": task,
        "class_names": prompts.metrics.class_names,
        "samples": samples(prompts),
        "mistakes": mistakes(prompts),
        "num_mistakes": sum(not p.is_right for p in prompts.predictions),
        "curves": curves,
    }


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (wording.percent, wording.count, wording.size, wording.milliseconds,
                     wording.duration, wording.short):  # fmt: skip
        environment.filters[function.__name__] = function
    return environment
