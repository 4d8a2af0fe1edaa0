"""The kernels compute what float64 computes, and are for an H100 what they should be.

In processes of their own: neither Triton's compiler nor its interpreter looks through the tests'
shape checks.
"""

import json
import os
import subprocess
import sys

import pytest
import torch

from tests.unit.serving.trunk.cuda.answers import DEPTH

ROOM = "tests.unit.serving.trunk.cuda"


def told(module, **environment):
    """Return what a module prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", f"{ROOM}.{module}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def interpreted():
    pytest.importorskip("triton", reason="Triton is not installed")
    return told("interpreted", TRITON_INTERPRET="1")


@pytest.fixture(scope="module")
def for_hopper():
    pytest.importorskip("triton", reason="Triton is not installed")
    return told("for_hopper")


@pytest.fixture(scope="module")
def compiled(for_hopper):
    if for_hopper["kernels"] is None:
        pytest.skip("no ptxas or cuobjdump beside Triton")
    return for_hopper["kernels"]


def test_attention_reads_prefixes_of_any_lengths_in_one_launch(interpreted):
    errors = interpreted["attention"]
    assert len(errors) == 4
    for name, error in errors.items():
        assert error < (2e-6 if name.startswith("float32") else 2e-3), name


def test_every_row_gets_the_best_of_its_own_classes(interpreted):
    found = interpreted["heads"]
    assert found.pop("error") < 1e-6
    assert found.pop("margin_error") < 1e-6
    assert found == {"misplaced": 0, "nan_stays": True}


def test_a_whole_step_answers_as_the_token_form_for_any_mixture_and_any_top_k(interpreted):
    assert interpreted["steps"]["error"] < 1e-5
    assert interpreted["steps"]["wrong"] == 0


def test_a_step_normalises_its_crops_to_the_same_bits_as_the_host(interpreted):
    assert interpreted["steps"]["same_bits"]


def test_a_step_in_fp8_is_near_and_its_rows_in_doubt_are_exact(interpreted):
    found = interpreted["fp8"]
    assert 1e-4 < found["left"]["error"] < 0.2
    assert found["computed again"]["error"] < 1e-5
    assert found["computed again"]["wrong"] == 0


def test_no_kernel_has_a_stack_or_more_registers_than_four_blocks_of_a_core_can_have(compiled):
    assert len(compiled) == 6
    for name, found in compiled.items():
        assert (found["stack"], found["local"]) == (0, 0), name
        assert found["reg"] <= 128, name


def test_attention_uses_tensor_cores_and_copies_ahead_16_bytes_at_a_time(compiled):
    for name, found in compiled.items():
        if name.startswith("attention"):
            core = "small_tensor_core" if " 1 queries" in name else "tensor_core"
            assert found[core] > 0, name
            assert found["asynchronous_copy"] > 0, name
            assert found["narrow_copy"] == 0, name
            assert 3 * found["shared_bytes"] < 227 << 10, name


def test_heads_are_read_16_bytes_at_a_time(compiled):
    assert compiled["logits"]["wide_load"] >= 16


@pytest.fixture(scope="module")
def traced(for_hopper):
    return for_hopper["steps"]


def test_the_compiler_sees_the_kernels_in_one_graph_and_that_they_write_their_outputs_alone(traced):
    expected = [["out"]] * DEPTH + [["logits"], ["found", "margins", "scores"]]
    assert traced["written"] == expected


def test_in_fp8_the_whole_step_is_one_graph_too_with_all_layers_but_one_rounded(traced):
    assert traced["products"] == [0, 4 * DEPTH - 1]


def test_on_cuda_whole_steps_answer_as_the_token_form_eager_and_compiled():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    for name, found in told("on_cuda").items():
        assert found["error"] < (0.2 if "doubt 0.0" in name else 0.05), name  # FP8, bfloat16
        assert found["wrong"] == 0, name
