"""Any mixture of lengths and any number of rows is a shape that was warmed up, and exact.

What the compiler would do needs a GPU; which shapes it is given does not.
"""

from collections import Counter

import pytest
import torch

from serving.trunk.backend import Example
from serving.trunk.cuda.backend import CudaBackend
from serving.trunk.cuda.forward import reads_by_address
from tests.fakes.other_trunks import other_trunk
from tests.fakes.rows import expected_of, features_of, some_rows
from tests.fakes.tiny import tiny_backbone

MAX_BATCH = 12
MIXTURES = ((4, 0, 2), (0,), (4,), (1, 3), (12, 0))


@pytest.fixture
def shapes(monkeypatch):
    """Count how often a compiled forward was called with each shape."""
    counted = Counter()

    def compile_nothing(forward, **_):
        def called(pixels, prompts):
            counted[tuple(pixels.shape), tuple(prompts.prefix.shape), prompts.mask is None] += 1
            return forward(pixels, prompts)

        return called

    monkeypatch.setattr(torch, "compile", compile_nothing)
    was = torch.backends.cuda.cudnn_sdp_enabled()
    yield counted
    torch.backends.cuda.enable_cudnn_sdp(was)


def near(found, expected, bound):
    return (found - expected).abs().max() / expected.abs().max() < bound


@pytest.mark.parametrize("warmed_up", [4, 0])
def test_no_mixture_of_lengths_and_no_number_of_rows_is_a_shape_of_its_own(shapes, warmed_up):
    backend = CudaBackend(tiny_backbone(), compiled=True, max_batch=MAX_BATCH)
    form = some_rows(backend.backbone, 1)[1][0].form
    backend.warm_up([Example(form, warmed_up)])
    warm = dict(shapes)
    assert len(warm) == 5
    assert min(warm.values()) >= 3, "the first call compiles, the third records"
    for lengths in MIXTURES:
        for rows in (1, 2, 3, 5, MAX_BATCH):
            adapters, residents, pixels = some_rows(backend.backbone, rows, lengths=lengths)
            found = features_of(backend, residents, pixels)
            assert near(found, expected_of(adapters, pixels), 1e-5)
    assert shapes.keys() == warm.keys()


def test_prompts_fill_up_to_a_longer_warm_prefix_and_run_eagerly_beyond_the_longest(shapes):
    backend = CudaBackend(tiny_backbone(), compiled=True, max_batch=2)
    form = some_rows(backend.backbone, 1)[1][0].form
    backend.warm_up([Example(form, 40)])
    warm = set(shapes)
    for lengths, is_warm in (((3, 0), True), ((90, 0), False)):
        adapters, residents, pixels = some_rows(backend.backbone, 2, lengths=lengths)
        found = features_of(backend, residents, pixels)
        assert near(found, expected_of(adapters, pixels), 1e-5)
        assert (shapes.keys() == warm) == is_warm


def test_a_plan_of_cudnn_is_never_built_in_a_request(shapes):
    torch.backends.cuda.enable_cudnn_sdp(True)
    CudaBackend(tiny_backbone())
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_float32_and_heads_of_other_widths_have_no_steps(shapes):
    assert CudaBackend(tiny_backbone(), kernels=True).steps is None
    assert CudaBackend(tiny_backbone(dtype=torch.bfloat16), kernels=True).steps is None


@pytest.mark.parametrize("compiled", [False, True])
def test_on_cuda_eager_and_graphs_equal_the_reference(compiled):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    cpu = tiny_backbone()
    backbone = type(cpu)(cpu.trunk.cuda(), cpu.spec, cpu.preprocessing)
    backend = CudaBackend(backbone, compiled=compiled, max_batch=4)
    *_, residents, _ = some_rows(backbone, 1, lengths=(4,))
    backend.warm_up([Example(residents[0].form, 4)])
    for lengths in MIXTURES:
        for rows in (1, 3, 4):
            adapters, residents, pixels = some_rows(backbone, rows, lengths=lengths)
            found = features_of(backend, residents, pixels).cpu()
            assert near(found, expected_of(adapters, pixels), 1e-4)


@pytest.mark.parametrize("name", ["vit_small_patch16_dinov3", "beit_base_patch16_224"])
def test_rows_of_a_trunk_that_the_kernels_do_not_compute_are_filled_up_and_exact(shapes, name):
    backbone = tiny_backbone(other_trunk(name))
    assert not reads_by_address(tiny_backbone(other_trunk(name), dtype=torch.bfloat16))
    backend = CudaBackend(backbone, kernels=True, max_batch=2)
    assert backend.steps is None
    adapters, residents, pixels = some_rows(backbone, 2, lengths=(4, 0))
    found = features_of(backend, residents, pixels)
    assert near(found, expected_of(adapters, pixels, other_trunk(name)), 1e-5)
