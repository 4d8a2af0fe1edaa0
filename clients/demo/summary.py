"""The demo's result as one document, and whether it kept its promises. Measures nothing itself."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from clients.demo.conditions import Conditions
from clients.demo.records import (
    Offline,
    Record,
    agreement,
    score_difference,
    tasks_per_batch,
)
from clients.demo.traffic import Publication
from clients.demo.trained import Trained
from clients.demo.wording import percent, short
from clients.load.closed import latency_summary


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class TaskSummary(_Part):
    """One task: what it is, how well each method does on its test images, what it costs."""

    classes: int
    train_images: int
    test_images: int
    test_accuracy: float = Field(description="of the prompts and their head")
    linear_probe_accuracy: float = Field(description="of a head alone on the same backbone")
    trainable_parameters: int
    backbone_parameters: int
    artifact_bytes: int
    train_seconds: float


class Served(_Part):
    """All requests of both phases together."""

    requests: int
    failed: int
    batches: int
    mixed_batches: int = Field(description="forwards with rows of more than one task")
    max_tasks_in_one_batch: int
    p50_ms: float | None
    p99_ms: float | None
    requests_per_s: float
    agreement_with_offline: float = Field(
        description="share of answers equal to what their version said when it was trained"
    )
    max_score_difference: float | None = Field(description="of the best class's score")


class Swap(_Part):
    """The new version of one task, published while traffic ran."""

    task: str
    old_version: str
    new_version: str
    failed_during_swap: int
    answered_by_old: int = Field(description="from the first request of the swap phase")
    answered_by_new: int
    publish_began_s: float = Field(description="since the first request")
    publish_returned_s: float
    takeover_ms: float | None = Field(
        description="from the command's return to the first answer of the new version; negative "
        "if the answer came first, None if none came"
    )


class Summary(_Part):
    """Everything that `summary.json` says."""

    tasks: dict[str, TaskSummary]
    served: Served
    swap: Swap
    conditions: Conditions

    def faults(self) -> list[str]:
        """Return what was promised and not kept, one line each."""
        served, swap = self.served, self.swap
        checks = {
            f"{served.failed} of {served.requests} requests failed, expected 0": served.failed,
            f"{percent(served.agreement_with_offline, 2)} of the answers agree with the offline "
            "predictions of their version, expected all": served.agreement_with_offline < 1,
            f"{swap.task}: version {short(swap.new_version)} was published and never answered": (
                swap.takeover_ms is None
            ),
            "no batch mixed tasks, expected at least one": not served.mixed_batches,
        }
        return [text for text, is_broken in checks.items() if is_broken]


def summarise_task(linear: Trained, prompts: Trained) -> TaskSummary:
    """Return what two training runs on one task come to."""
    metrics = prompts.metrics
    return TaskSummary(
        classes=len(metrics.class_names),
        train_images=metrics.train_images,
        test_images=metrics.test_images,
        test_accuracy=metrics.test_accuracy,
        linear_probe_accuracy=linear.metrics.test_accuracy,
        trainable_parameters=metrics.trainable_parameters,
        backbone_parameters=metrics.backbone_parameters,
        artifact_bytes=prompts.artifact.stat().st_size,
        train_seconds=metrics.train_seconds,
    )


def summarise_traffic(records: Sequence[Record], offline: Offline) -> Served:
    """Return what all requests come to; `offline` holds every version that may answer."""
    batches = tasks_per_batch(records)
    latencies = latency_summary([record.outcome for record in records])
    return Served(
        requests=len(records),
        failed=latencies["failed"],
        batches=batches.total(),
        mixed_batches=sum(n for tasks, n in batches.items() if tasks > 1),
        max_tasks_in_one_batch=max(batches, default=0),
        p50_ms=latencies["p50_ms"],
        p99_ms=latencies["p99_ms"],
        requests_per_s=latencies["requests_per_s"],
        agreement_with_offline=agreement(records, offline),
        max_score_difference=score_difference(records, offline),
    )


def summarise_swap(
    records: Sequence[Record], publication: Publication, versions: Mapping[str, str], task: str
) -> Swap:
    """Return what the swap phase shows.

    Args:
        records: of all phases.
        publication: of the new version.
        versions: what was current before, by task.
        task: the one that was swapped.
    """
    during = [record for record in records if record.phase == "swap"]
    new = [record.done_s for record in during if record.version == publication.version]
    return Swap(
        task=task,
        old_version=versions[task],
        new_version=publication.version,
        failed_during_swap=sum(record.outcome.error is not None for record in during),
        answered_by_old=sum(record.version == versions[task] for record in during),
        answered_by_new=len(new),
        publish_began_s=publication.began_s,
        publish_returned_s=publication.returned_s,
        takeover_ms=(min(new) - publication.returned_s) * 1e3 if new else None,
    )
