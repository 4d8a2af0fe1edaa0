import base64
import io
import json
import pickle
import struct
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from adapters.artifact.codec import decode_meta, short, version_of
from adapters.artifact.meta import AdapterMeta
from adapters.errors import ArtifactCorrupt
from adapters.vit.adapter import Adapter, decode, encode
from tests.fakes.artifacts import make_adapter, make_spec

GOLDEN = base64.b64decode(
    """
6AMAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJzcHQiOiJ7XCJzY2hlbWFfdmVyc2lvblwiOjEsXCJ0YXNrXCI6e1wiaWRcIjpc
InBldHNcIixcImNsYXNzX25hbWVzXCI6W1wiY2xhc3MtMFwiLFwiY2xhc3MtMVwiXX0sXCJtZXRob2RcIjpcInNwdC1kZWVw
XCIsXCJpbml0XCI6XCJyYW5kb21cIixcImJhY2tib25lXCI6e1wibmFtZVwiOlwidGlueVwiLFwid2VpZ2h0c19zaGEyNTZc
IjpcImFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJcIixc
IndpZHRoXCI6MixcImRlcHRoXCI6MixcIm51bV9oZWFkc1wiOjIsXCJpbWFnZV9zaXplXCI6MTYsXCJwYXRjaF9zaXplXCI6
OCxcInBvb2xpbmdcIjpcImNsc1wiLFwiZmluYWxfbm9ybVwiOlwiYmVmb3JlLXBvb2xpbmdcIn0sXCJwcmVwcm9jZXNzaW5n
XCI6e1wicmVzaXplXCI6XCJzcXVhc2hcIixcInJlc2l6ZV9zaXplXCI6MTYsXCJjcm9wXCI6MTYsXCJpbnRlcnBvbGF0aW9u
XCI6XCJiaWN1YmljXCIsXCJtZWFuXCI6WzAuNSwwLjUsMC41XSxcInN0ZFwiOlswLjUsMC41LDAuNV19LFwicmVjaXBlXCI6
e1wibWV0aG9kXCI6XCJzcHQtZGVlcFwiLFwic2VlZFwiOjB9LFwibWV0cmljc1wiOntcInRlc3RfYWNjdXJhY3lcIjowLjc1
fSxcImRhdGFfc2hhMjU2XCI6XCJjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNk
Y2RjZGNkY2RjZGNkXCIsXCJzZWVkXCI6MCxcImNyZWF0ZWRfYXRcIjpcIjIwMjYtMDEtMDJUMDM6MDQ6MDVaXCIsXCJjb2Rl
X3ZlcnNpb25cIjpcInRlc3RcIn0ifSwiaGVhZC5iaWFzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyXSwiZGF0YV9vZmZz
ZXRzIjpbMCw4XX0sImhlYWQud2VpZ2h0Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyLDJdLCJkYXRhX29mZnNldHMiOls4
LDI0XX0sInByb21wdHMiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzIsMSwyXSwiZGF0YV9vZmZzZXRzIjpbMjQsNDBdfX0g
AAAAAAAAAL8AAIA/AAAAQAAAQMAAAAA+AAAAPwAAgL8AAABAAACAPg==
"""
)
"""An artifact of format version 1, kept for ever: what is in stores must stay readable."""

GOLDEN_VERSION = "654252f4666e5c4a8f4e653e3ac1eb2c0db5f11b9bdf4882fba8bb93242b8e63"


def golden_adapter() -> Adapter:
    adapter = make_adapter("pets", classes=2, backbone=make_spec(width=2))
    return replace(
        adapter,
        prompts=torch.tensor([[[0.5, -1.0]], [[2.0, 0.25]]]),
        head_weight=torch.tensor([[1.0, 2.0], [-3.0, 0.125]]),
        head_bias=torch.tensor([0.0, -0.5]),
    )


def test_format_version_1_decodes_to_the_values_it_always_had() -> None:
    adapter = decode(GOLDEN)
    assert adapter.prompts is not None
    assert adapter.prompts.tolist() == [[[0.5, -1.0]], [[2.0, 0.25]]]
    assert adapter.head_weight.tolist() == [[1.0, 2.0], [-3.0, 0.125]]
    assert adapter.head_bias.tolist() == [0.0, -0.5]
    assert adapter.meta == golden_adapter().meta
    assert adapter.meta.task.class_names == ("class-0", "class-1")


def test_format_version_1_encodes_to_the_bytes_it_always_had() -> None:
    assert encode(golden_adapter()) == GOLDEN
    assert version_of(GOLDEN) == GOLDEN_VERSION
    assert short(GOLDEN_VERSION) == GOLDEN_VERSION[:12]


def test_the_meta_alone_is_the_meta_of_the_whole() -> None:
    assert decode_meta(GOLDEN) == decode(GOLDEN).meta


def test_a_cut_artifact_is_corrupt_wherever_it_is_cut() -> None:
    for length in range(len(GOLDEN)):
        with pytest.raises(ArtifactCorrupt) as caught:
            decode(GOLDEN[:length])
        assert "artifact" in str(caught.value)


def test_bytes_after_the_end_are_corrupt() -> None:
    with pytest.raises(ArtifactCorrupt):
        decode(GOLDEN + b"\0")


def test_a_flipped_bit_in_the_header_is_refused_or_gives_an_adapter_that_fits_its_meta() -> None:
    header = 8 + int.from_bytes(GOLDEN[:8], "little")
    refused = 0
    for position in range(header):
        data = bytearray(GOLDEN)
        data[position] ^= 1 << (position % 8)
        refused += is_refused(bytes(data))
    assert refused > header // 2


def is_refused(data: bytes) -> bool:
    try:
        adapter = decode(data)
    except ArtifactCorrupt:
        return True
    assert adapter.head_weight.shape[0] == len(adapter.meta.task.class_names)
    return False


@pytest.mark.parametrize("length", [0, 1, 10_000_001, 2**63, 2**64 - 1])
def test_a_header_length_that_cannot_be_is_corrupt(length: int) -> None:
    with pytest.raises(ArtifactCorrupt, match="not an artifact of format 1"):
        decode(struct.pack("<Q", length) + GOLDEN[8:])


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was executed",)


def test_pickles_are_refused_and_never_executed() -> None:
    stream = io.BytesIO()
    torch.save({"prompts": torch.zeros(1), "evil": Evil()}, stream)
    for data in (stream.getvalue(), pickle.dumps(Evil())):
        with pytest.raises(ArtifactCorrupt):
            decode(data)


def test_safetensors_of_somebody_else_are_corrupt() -> None:
    with pytest.raises(ArtifactCorrupt, match="publish it again"):
        decode(save({"head.weight": torch.zeros(2, 2)}))


def test_fields_of_a_later_version_are_ignored_and_the_rest_is_what_it_was() -> None:
    task = json.loads(golden_adapter().meta.task.model_dump_json()) | {"licence": "MIT"}
    adapter = decode(with_parts({}, {"note": "of a later version", "task": task}))
    assert adapter.meta == golden_adapter().meta


@pytest.mark.parametrize("part", ["backbone", "preprocessing"])
def test_an_unknown_field_that_may_decide_what_is_computed_is_refused(part: str) -> None:
    known = json.loads(golden_adapter().meta.model_dump_json())[part]
    with pytest.raises(ArtifactCorrupt, match="surprise"):
        decode(with_parts({}, {part: known | {"surprise": 1}}))


def test_an_artifact_of_before_rules_had_versions_means_the_first_one() -> None:
    rule = decode(GOLDEN).meta.preprocessing
    assert (rule.rule_version, rule.decoder) == (1, "pillow")
    assert b"rule_version" not in GOLDEN
    assert b"decoder" not in GOLDEN


def test_a_decoder_with_other_pixels_is_written_and_read_by_its_name() -> None:
    adapter = golden_adapter()
    rule = adapter.meta.preprocessing.model_copy(update={"decoder": "draft"})
    drafted = replace(adapter, meta=adapter.meta.model_copy(update={"preprocessing": rule}))
    assert encode(drafted) != GOLDEN
    assert decode(encode(drafted)).meta.preprocessing.decoder == "draft"


@pytest.mark.parametrize("field", [{"rule_version": 2}, {"decoder": "nvjpeg"}], ids=str)
def test_a_rule_or_a_decoder_that_we_do_not_know_is_refused(field: dict[str, Any]) -> None:
    known = json.loads(golden_adapter().meta.model_dump_json())["preprocessing"]
    with pytest.raises(ArtifactCorrupt, match=next(iter(field))):
        decode(with_parts({}, {"preprocessing": known | field}))


def test_another_format_version_is_refused() -> None:
    for change in ({"schema_version": 2}, {"seed": None}):
        with pytest.raises(ArtifactCorrupt, match=next(iter(change))):
            decode(with_parts({}, change))


def test_prompts_that_begin_later_have_as_many_layers_less() -> None:
    adapter = make_adapter(depth=5, first_block=2)
    assert adapter.prompts is not None
    found = decode(encode(adapter))
    assert (found.meta.first_block, found.is_deep) == (2, True)
    assert found.prompts is not None
    assert torch.equal(found.prompts, adapter.prompts)


@pytest.mark.parametrize("layers", [1, 2, 4, 5])
def test_prompts_of_other_blocks_than_the_meta_says_are_refused(layers: int) -> None:
    adapter = replace(make_adapter(depth=5, first_block=2), prompts=torch.zeros(layers, 4, 8))
    with pytest.raises(ArtifactCorrupt, match=r"tensor prompts should be float32 \(3, 4, 8\)"):
        decode(encode(adapter))


def test_readers_that_do_not_know_of_first_blocks_refuse_the_shape() -> None:
    """They ignore the field; what they then expect is what we expect without it."""
    adapter = make_adapter(depth=5, first_block=2)
    meta = adapter.meta.model_copy(update={"first_block": 0})
    with pytest.raises(ArtifactCorrupt, match=r"\(5, 4, 8\), found float32 \(3, 4, 8\)"):
        decode(encode(replace(adapter, meta=meta)))


@pytest.mark.parametrize("change", [{"first_block": 4}, {"first_block": 1, "init": None}])
def test_fewer_than_two_blocks_with_prompts_are_refused(change: dict[str, Any]) -> None:
    adapter = make_adapter(depth=5)
    with pytest.raises(ArtifactCorrupt, match=f"first_block is {change['first_block']}, at most"):
        decode(encode(replace(adapter, meta=adapter.meta.model_copy(update=change))))


def with_parts(tensors: dict[str, torch.Tensor | None], meta: dict[str, Any]) -> bytes:
    """Return the golden artifact with some tensors (None removes one) and meta replaced."""
    adapter = golden_adapter()
    assert adapter.prompts is not None
    parts = {
        "prompts": adapter.prompts,
        "head.weight": adapter.head_weight,
        "head.bias": adapter.head_bias,
    }
    kept = {k: v for k, v in {**parts, **tensors}.items() if v is not None}
    document = json.dumps(json.loads(adapter.meta.model_dump_json()) | meta)
    return save(kept, metadata={"spt": document})


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("prompts", torch.zeros(3, 1, 2)),
        ("prompts", torch.zeros(2, 0, 2)),
        ("prompts", torch.zeros(2, 1, 3)),
        ("prompts", torch.zeros(2, 2)),
        ("prompts", torch.zeros(2, 1, 2, dtype=torch.float64)),
        ("head.weight", torch.zeros(3, 2)),
        ("head.weight", torch.zeros(2, 2, dtype=torch.float16)),
        ("head.bias", torch.zeros(2, 1)),
        ("head.bias", torch.tensor([0.0, float("nan")])),
        ("head.weight", torch.full((2, 2), float("inf"))),
    ],
)
def test_a_tensor_that_does_not_fit_its_meta_is_named(name: str, tensor: torch.Tensor) -> None:
    with pytest.raises(ArtifactCorrupt, match=f"pets: tensor {name} "):
        decode(with_parts({name: tensor}, {}))


@pytest.mark.parametrize("name", ["prompts", "head.weight", "head.bias"])
def test_a_missing_tensor_is_named(name: str) -> None:
    with pytest.raises(ArtifactCorrupt, match=f"expected tensors .*{name}.*, found"):
        decode(with_parts({name: None}, {}))


def test_a_tensor_too_many_is_named() -> None:
    with pytest.raises(ArtifactCorrupt, match=r"found .*extra"):
        decode(with_parts({"extra": torch.zeros(1)}, {}))


@settings(max_examples=25, deadline=None)
@given(
    classes=st.integers(1, 5),
    depth=st.integers(1, 4),
    prompts=st.integers(1, 5),
    seed=st.integers(0, 2**32),
    method=st.sampled_from(["spt-deep", "spt-shallow", "linear"]),
)
def test_decode_gives_back_what_encode_was_given(
    classes: int, depth: int, prompts: int, seed: int, method: str
) -> None:
    adapter = make_adapter("pets", classes, depth, 4, prompts, seed, method=method)
    data = encode(adapter)
    again = decode(data)
    assert again.meta == adapter.meta
    assert torch.equal(again.head_weight, adapter.head_weight)
    assert torch.equal(again.head_bias, adapter.head_bias)
    assert (again.prompts is None) == (adapter.prompts is None)
    assert adapter.prompts is None or torch.equal(again.prompts, adapter.prompts)
    assert encode(again) == data


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300))
def test_random_bytes_are_corrupt_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(ArtifactCorrupt):
        decode(data)


def test_an_artifact_carries_its_calibration_and_ignores_what_a_later_one_may_say_of_it() -> None:
    adapter = make_adapter(temperature=1.75)
    data = encode(adapter)
    assert decode(data).meta == adapter.meta
    assert decode_meta(data).temperature == 1.75
    document = json.loads(adapter.meta.model_dump_json())
    document["calibration"]["of_a_later_version"] = 1
    assert AdapterMeta.model_validate(document) == adapter.meta


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e-9, 1e9, "NaN", "Infinity"])
def test_a_temperature_that_no_fit_has_is_corrupt(temperature: float | str) -> None:
    text = encode(make_adapter(temperature=1.75)).decode("latin-1")
    field = '\\"temperature\\":'
    assert text.count(f"{field}1.75") == 1
    changed = text.replace(f"{field}1.75", f"{field}{temperature}").encode("latin-1")
    header = int.from_bytes(changed[:8], "little") + len(changed) - len(text)
    with pytest.raises(ArtifactCorrupt, match="temperature"):
        decode_meta(header.to_bytes(8, "little") + changed[8:])
