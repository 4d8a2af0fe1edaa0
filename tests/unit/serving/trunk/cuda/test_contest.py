"""Of two ways to compile a step, the one that the device takes less time for is kept."""

from itertools import count

import pytest

pytest.importorskip("triton", reason="Triton is not installed")

from serving.trunk.backend import Form
from serving.trunk.cuda import contest, recording
from serving.trunk.cuda.contest import fastest
from serving.trunk.cuda.recording import Recording
from serving.trunk.cuda.steps import PRODUCTS, CudaSteps
from tests.fakes.tiny import tiny_backbone


def test_the_fastest_is_that_of_the_best_round_and_its_time_is_told(monkeypatch, caplog):
    times = {"a": [3.0, 3.0, 3.0, 3.0, 1.0], "b": [2.0] * 5}
    ways = {name: Recording(None, (name,)) for name in times}
    monkeypatch.setattr(contest, "device_seconds", lambda way: times[way.outputs[0]].pop())
    with caplog.at_level("INFO"):
        assert fastest(ways) == "a"
    assert "a is kept: a 1000.000 ms, b 2000.000 ms" in caplog.text


@pytest.mark.parametrize("winner", list(PRODUCTS))
def test_every_bucket_is_recorded_with_the_way_that_won(winner, monkeypatch):
    compiled, numbers = [], count()

    def compile_nothing(run, *, options, **_):
        compiled.append(options)
        return lambda *_: next(name for name, own in PRODUCTS.items() if own == options)

    def compute(_, trunk, bucket):
        return trunk(), bucket, next(numbers)

    monkeypatch.setattr("torch.compile", compile_nothing)
    monkeypatch.setattr(CudaSteps, "_compute", compute)
    monkeypatch.setattr(recording, "record", lambda run: Recording(None, run()))
    monkeypatch.setattr(contest, "device_seconds", lambda way: float(way.outputs[0] != winner))
    steps = CudaSteps(tiny_backbone(), compiled=True, max_batch=4)
    form = Form(0, False, "cls", "before-pooling")
    assert steps.record(form)
    assert compiled == list(PRODUCTS.values())
    kept = [one.outputs[:2] for one in steps._recordings.values()]
    assert kept == [(winner, bucket) for bucket in (4, 2, 1)]
    assert steps.take(form, 3)
