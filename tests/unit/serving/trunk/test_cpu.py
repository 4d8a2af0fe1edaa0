"""Eager and compiled, filled up or not: the features are those of the token form."""

import json
import subprocess
import sys

import pytest
import torch

import serving.trunk.graphs
from serving.forward.prompts import gather_prompts
from serving.trunk.blank import num_tokens
from serving.trunk.cpu import CpuBackend
from serving.trunk.graphs import without_compiling
from tests.fakes.rows import expected_of, features_of, some_rows
from tests.fakes.tiny import tiny_backbone, tiny_trunk


@pytest.mark.parametrize("alignment", [1, 8, 32])
@pytest.mark.parametrize("pooling", ["cls", "mean", "map"])
def test_rows_of_any_length_are_filled_up_to_the_alignment_and_stay_exact(pooling, alignment):
    trunk = {"pre_norm": True, "global_pool": "map"}
    backend = CpuBackend(tiny_backbone(tiny_trunk(**trunk)))
    backend.key_alignment = alignment
    adapters, residents, pixels = some_rows(
        backend.backbone, 5, pooling=pooling, first_blocks=(0, 1)
    )
    prompts = gather_prompts(backend.backbone, residents[0].form, residents, alignment)
    assert (prompts.prefix.shape[2] + num_tokens(backend.backbone)) % alignment == 0
    found = features_of(backend, residents, pixels)
    expected = expected_of(adapters, pixels, tiny_trunk(**trunk))
    assert (found - expected).abs().max() / expected.abs().max() < 1e-5


def test_compiled_features_equal_the_reference_for_any_number_of_rows():
    """In a process of its own: the compiler cannot look through the tests' shape checks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.serving.trunk.compiled"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    errors = json.loads(done.stdout)
    assert len(errors) == 10
    assert max(errors.values()) < 1e-5


def test_a_form_that_was_not_warmed_up_runs_eagerly(monkeypatch):
    backend = CpuBackend(tiny_backbone(), compiled=True)
    monkeypatch.setattr(serving.trunk.graphs, "STANCE", "fail_on_recompile")
    adapters, residents, pixels = some_rows(backend.backbone, 3)
    expected = expected_of(adapters, pixels)
    found = features_of(backend, residents, pixels)
    assert (found - expected).abs().max() / expected.abs().max() < 1e-5


def test_nothing_is_compiled_until_the_last_of_several_forwards_at_a_time_has_ended():
    compiled: list[object] = []

    def compiler(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        compiled.append(graph)
        return graph

    double = torch.compile(lambda number: number * 2, backend=compiler)
    first, last = without_compiling(), without_compiling()
    first.__enter__()
    with last:
        first.__exit__(None, None, None)
        double(torch.ones(2))
        assert not compiled
    double(torch.ones(2))
    assert len(compiled) == 1


def test_bfloat16_stays_near_the_reference():
    backend = CpuBackend(tiny_backbone(dtype=torch.bfloat16))
    adapters, residents, pixels = some_rows(backend.backbone, 5)
    found = features_of(backend, residents, pixels)
    expected = expected_of(adapters, pixels)
    assert found.dtype == torch.bfloat16
    assert torch.cosine_similarity(found.double(), expected).min() > 0.999
