"""The demo from the first training to the last stopped process: what happens in which order.

Knows nothing of how each step is done, nor of how the outcome is shown.
"""

import asyncio
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from clients.client import AsyncClient
from clients.demo.conditions import describe, timestamp
from clients.demo.errors import DemoError
from clients.demo.plan import METHODS, Method, Plan, TaskPlan
from clients.demo.processes import run_child
from clients.demo.records import Offline, Record, offline_of
from clients.demo.service import Service, publish, running_service, stop_service
from clients.demo.summary import Summary, summarise_swap, summarise_task, summarise_traffic
from clients.demo.terminal import traffic_bar
from clients.demo.traffic import Publication, Traffic, picks, send_through_swap
from clients.demo.trained import Metrics, Trained, read_trained
from trainer.page.words import short

_MARKER: Final = ".demo"
Runs = Mapping[str, Mapping[Method, Trained]]
"""Task to method to what training left."""


@dataclass(frozen=True)
class DemoResult:
    """All that the demo found out: the summary, and what it was made from."""

    summary: Summary
    runs: Runs
    records: tuple[Record, ...]


def run(console: Console, plan: Plan) -> DemoResult:
    """Run the whole demo and return what it found out; nothing is left running.

    Raises:
        DemoError: a step did not work out.
        ClientError: the service could not be asked.
    """
    began, date = time.monotonic(), timestamp()
    _prepare(console, plan)
    runs = {task.task: _train(console, plan, task) for task in plan.tasks}
    console.rule("publish")
    versions = asyncio.run(_publish_all(console, plan, runs))
    console.rule("serve")
    with running_service(console, plan) as service:
        console.rule("ask")
        records, publication = asyncio.run(_ask(console, plan, service, runs))
    summary = Summary(
        tasks={task: summarise_task(run["linear"], run["spt-deep"]) for task, run in runs.items()},
        served=summarise_traffic(records, _offline(plan, runs, versions, publication)),
        swap=summarise_swap(records, publication, versions, plan.swapped),
        conditions=describe(plan, _any_metrics(runs), date, time.monotonic() - began),
    )
    return DemoResult(summary, runs, records)


def _offline(
    plan: Plan, runs: Runs, versions: Mapping[str, str], publication: Publication
) -> Offline:
    """Return what each published version said of the test images when it was trained."""
    swapped = runs[plan.swapped]
    offline = {versions[task]: offline_of(runs[task]["spt-deep"].predictions) for task in runs}
    offline[versions[plan.swapped]] = offline_of(swapped["linear"].predictions)
    offline[publication.version] = offline_of(swapped["spt-deep"].predictions)
    return offline


def _any_metrics(runs: Runs) -> Metrics:
    return next(iter(runs.values()))["spt-deep"].metrics


def _prepare(console: Console, plan: Plan) -> None:
    """Clear away an earlier demo, and nothing but a demo."""
    marker = plan.out / _MARKER
    if plan.out.exists() and any(plan.out.iterdir()) and not marker.exists():
        raise DemoError(
            f"{plan.out}: expected an empty folder or one of an earlier demo, found other files; "
            "choose another --out"
        )
    stop_service(console, plan)
    shutil.rmtree(plan.out, ignore_errors=True)
    plan.out.mkdir(parents=True)
    marker.touch()


def _train(console: Console, plan: Plan, task: TaskPlan) -> dict[Method, Trained]:
    console.rule(f"train {task.task}")
    trained: dict[Method, Trained] = {}
    for method in METHODS:
        folder = plan.training(task.task, method)
        options = [word for setting in task.settings(method) for word in ("--set", setting)]
        place = ("--method", method, "--out", str(folder), "--store", str(plan.store))
        run_child(console, "trainer", "train", task.task, *place, "--no-publish", *options)
        trained[method] = read_trained(folder, task.task)
    return trained


async def _publish_all(console: Console, plan: Plan, runs: Runs) -> dict[str, str]:
    """Publish every task's prompts, but of the swapped task the linear probe."""
    versions = {}
    for task, trained in runs.items():
        method: Method = "linear" if task == plan.swapped else "spt-deep"
        versions[task] = await publish(plan, trained[method])
        console.print(f"{task}: version {short(versions[task])}, {method}")
    return versions


async def _ask(
    console: Console, plan: Plan, service: Service, runs: Runs
) -> tuple[tuple[Record, ...], Publication]:
    samples = {task: trained["spt-deep"].predictions for task, trained in runs.items()}
    new = runs[plan.swapped]["spt-deep"]
    planned = plan.requests + plan.swap_requests
    console.print(f"{plan.concurrency} askers, tasks mixed at random, then a swap under way")
    async with AsyncClient(service.url, retries=0) as client:
        with traffic_bar(console, planned, plan.swapped) as watch:
            traffic = Traffic(client, picks(samples, plan.seed), plan.concurrency, watch)
            await traffic.send("mixed", lambda sent: sent < plan.requests)
            publication = await send_through_swap(
                traffic, plan, lambda: publish(plan, new, service.redis_url)
            )
    return tuple(traffic.records), publication
