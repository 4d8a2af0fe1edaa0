"""Rows with keys and values beside prompts, or with biases, in a mixed batch: each is exact."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from adapters.artifact.backbone_spec import Pooling
from adapters.errors import ArtifactMismatch
from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from serving.forward.chunks import chunks
from serving.rows.resident import Resident, make_resident
from serving.trunk.backend import Backend, Example, covers
from serving.trunk.cpu import CpuBackend
from serving.trunk.cuda.backend import CudaBackend
from serving.trunk.cuda.forward import is_prefix_alone
from tests.fakes.beside import adapter_with, changed
from tests.fakes.reference import reference_feature
from tests.fakes.rows import features_of, seated
from tests.fakes.tiny import read_out, tiny_backbone

CROP = np.zeros((16, 16, 3), np.uint8)
KINDS = {
    "plain": {},
    "short": {"prompts": 1},
    "keys and values": {"keys_values": 3},
    "biases": {"biases": True},
    "both": {"keys_values": 2, "biases": True, "prompts": 2},
    "biases of a bare head": {"biases": True, "method": "linear"},
    "bare": {"method": "linear"},
    "shallow": {"method": "spt-shallow"},
}


def some_tasks(backbone: Backbone, pooling: Pooling) -> list[tuple[Adapter, Resident]]:
    spec = backbone.spec.model_copy(update=read_out(pooling))
    adapters = [
        adapter_with(seed=i, backbone=spec, **options) for i, options in enumerate(KINDS.values())
    ]
    return [(adapter, make_resident(adapter, backbone)) for adapter in adapters]


def largest_error(backend: Backend, pooling: Pooling) -> float:
    """Compute a mixed batch as the engine would, each form's rows together."""
    tasks = some_tasks(backend.backbone, pooling)
    adapter_of = {resident: adapter for adapter, resident in tasks}
    rows = [seated(resident, CROP) for _, resident in tasks]
    size = backend.backbone.spec.image_size
    dtype, worst = backend.backbone.dtype, 0.0
    for chunk in chunks(rows, 16, apart=False):
        residents = [row.resident for row in chunk]
        pixels = torch.randn(len(chunk), 3, size, size, dtype=dtype)
        found = features_of(backend, residents, pixels)
        for feature, resident, image in zip(found, residents, pixels, strict=True):
            adapter = adapter_of[resident]
            exact = tiny_backbone(dtype=torch.float64).trunk
            expected = reference_feature(changed(exact, adapter), adapter, image.double())
            worst = max(worst, float((feature - expected).abs().max() / expected.abs().max()))
    return worst


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
def test_every_kind_equals_its_token_form_in_float64(pooling: Pooling):
    assert largest_error(CpuBackend(tiny_backbone(dtype=torch.float64)), pooling) < 1e-12


@pytest.mark.parametrize("pooling", ["cls", "mean-with-prompts"])
def test_rows_that_are_filled_up_to_a_bucket_equal_it_too(pooling: Pooling):
    was = torch.backends.cuda.cudnn_sdp_enabled()
    assert largest_error(CudaBackend(tiny_backbone(), max_batch=8), pooling) < 1e-5
    torch.backends.cuda.enable_cudnn_sdp(was)


def forms_of(kinds: Sequence[str], pooling: Pooling) -> list[bool]:
    backbone = tiny_backbone(pooling=pooling)
    found = dict(zip(KINDS, some_tasks(backbone, pooling), strict=True))
    forms = [found[kind][1].form for kind in kinds]
    assert all(covers(backbone.spec, f) == is_prefix_alone(f) for f in forms if not f.shallow)
    return [form == found["plain"][1].form for form in forms]


def test_keys_and_values_share_the_forward_of_all_and_biases_have_one_of_their_own():
    assert forms_of(["short", "keys and values", "bare"], "cls") == [True, True, True]
    assert forms_of(["biases", "both", "biases of a bare head"], "cls") == [False] * 3


def test_a_warm_up_makes_batches_of_the_very_shapes():
    backbone = tiny_backbone(pooling="mean-with-prompts")
    forms = {resident.form for _, resident in some_tasks(backbone, "mean-with-prompts")}
    assert len(forms) == len(KINDS)
    CpuBackend(backbone).warm_up([Example(form, 4) for form in forms])


def test_what_differs_beside_equal_prompts_is_no_shared_feature():
    backbone = tiny_backbone()
    digests = {
        make_resident(adapter_with(backbone=backbone.spec, **options), backbone).prompts_digest
        for options in ({}, {"keys_values": 1}, {"keys_values": 2}, {"biases": True})
    }
    assert len(digests) == 4
    assert None not in digests


def test_a_resident_counts_all_that_it_holds():
    backbone = tiny_backbone()
    spec = backbone.spec
    plain, more, biased = (
        make_resident(adapter_with(backbone=spec, **options), backbone).num_bytes
        for options in ({}, {"keys_values": 3}, {"biases": True})
    )
    assert more - plain == 4 * spec.depth * 3 * 2 * spec.width
    assert biased - plain == 4 * spec.depth * spec.width


def test_keys_and_values_of_another_head_width_are_refused():
    backbone = tiny_backbone()
    adapter = adapter_with(keys_values=1, backbone=backbone.spec)
    narrow = adapter.keys_values[..., :4]
    with pytest.raises(ArtifactMismatch, match=r"for \(2, 4\) heads and head width.*\(2, 8\)"):
        make_resident(type(adapter)(*_with(adapter, narrow)), backbone)


def _with(adapter: Adapter, keys_values: torch.Tensor) -> tuple[object, ...]:
    return adapter.prompts, adapter.head_weight, adapter.head_bias, adapter.meta, keys_values
