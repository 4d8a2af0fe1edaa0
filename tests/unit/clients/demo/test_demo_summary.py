"""The summary says what happened, and complains where a promise was broken."""

import json

import pytest
from rich.console import Console

from clients.demo.plan import make_plan
from clients.demo.records import agreement, offline_of, score_difference, tasks_per_batch
from clients.demo.summary import Summary, summarise_swap, summarise_traffic
from clients.demo.terminal import show, takeover
from clients.demo.traffic import Publication
from clients.wire import BatchInfo
from tests.unit.clients.demo.demo_evidence import NEW, OLD, evidence, record, trained


@pytest.fixture
def sample(tmp_path):
    return trained(tmp_path / "d" / "run", right=[True]).predictions[0]


def test_each_answer_is_held_against_the_version_that_gave_it(sample):
    offline = {
        OLD: {str(sample.image): sample.model_copy(update={"predicted": 1})},
        NEW: {str(sample.image): sample},
    }
    assert agreement([record(sample, OLD, 1), record(sample, NEW, 0)], offline) == 1
    assert agreement([record(sample, OLD, 0), record(sample, NEW, 0)], offline) == 0.5


def test_an_unknown_version_does_not_agree_with_anything(sample):
    assert agreement([record(sample, "d" * 64, 0)], {OLD: offline_of([sample])}) == 0


def test_without_an_answer_there_is_no_agreement(sample):
    failed = [record(sample, None)]
    assert agreement(failed, {}) == 0
    assert score_difference(failed, {}) is None


def test_the_score_difference_is_the_largest(sample):
    assert score_difference([record(sample, OLD)], {OLD: offline_of([sample])}) == 0.25


def test_a_batch_counts_once_whoever_was_in_it(sample):
    batches = [BatchInfo("1", 3, 2), BatchInfo("1", 3, 2), BatchInfo("2", 1, 1), None]
    assert tasks_per_batch([record(sample, OLD, batch=b) for b in batches]) == {2: 1, 1: 1}


def test_the_summary_of_known_traffic(tmp_path):
    summary = evidence(tmp_path).summary
    served, swap = summary.served, summary.swap
    assert (served.requests, served.failed, served.batches) == (4, 0, 3)
    assert (served.mixed_batches, served.max_tasks_in_one_batch) == (1, 2)
    assert (served.agreement_with_offline, served.p50_ms) == (1.0, pytest.approx(10))
    assert (swap.old_version, swap.new_version) == (OLD, NEW)
    assert (swap.answered_by_old, swap.answered_by_new, swap.failed_during_swap) == (1, 1, 0)
    assert swap.takeover_ms == pytest.approx(1010)
    assert summary.faults() == []


def test_the_file_has_what_others_rely_on(tmp_path):
    written = json.loads(evidence(tmp_path).summary.model_dump_json())
    assert written["tasks"]["digits"] == {
        "classes": 2, "train_images": 10, "test_images": 2, "test_accuracy": 1.0,
        "linear_probe_accuracy": 0.5, "trainable_parameters": 5000,
        "backbone_parameters": 1_000_000, "artifact_bytes": 2000, "train_seconds": 3.0,
    }  # fmt: skip
    assert {"old_version", "new_version", "failed_during_swap"} <= set(written["swap"])
    assert {"cpu", "cores", "packages", "seed"} <= set(written["conditions"])


def test_every_broken_promise_is_named(sample):
    records = [record(sample, OLD, 1), record(sample, None)]
    broken = Summary.model_construct(
        served=summarise_traffic(records, {OLD: offline_of([sample])}),
        swap=summarise_swap(records, Publication(NEW, 0.0, 1.0), {"digits": OLD}, "digits"),
    )
    faults = broken.faults()
    assert len(faults) == 4
    assert "1 of 2 requests failed" in faults[0]
    assert "0.00% of the answers agree" in faults[1]
    assert "never answered" in faults[2]
    assert takeover(broken.swap) == "the new version never answered"


def test_an_answer_may_come_before_the_command_returns(sample):
    records = [record(sample, NEW, at=0.5)]
    swap = summarise_swap(records, Publication(NEW, 0.0, 1.0), {"digits": OLD}, "digits")
    assert takeover(swap) == "first new answer 490\N{NO-BREAK SPACE}ms before the command returned"


def test_the_table_fits_a_narrow_terminal(tmp_path, capsys):
    plan = make_plan(tmp_path / "out", quick=True)
    show(Console(width=80), evidence(tmp_path).summary, plan)
    out = capsys.readouterr().out
    assert "10/2" in out
    assert "…" not in out
    assert str(plan.out / "summary.json") in out
