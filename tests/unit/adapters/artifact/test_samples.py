"""Sample images come back as they were, and what is none is neither published nor loaded."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.artifact.codec import read_contents
from adapters.artifact.differences import differences
from adapters.artifact.samples import SampleImage, samples_fault
from adapters.errors import ArtifactMismatch
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, decode, encode
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes

JPEG = image_bytes(0, (24, 16), "JPEG")


def sample(data: bytes = JPEG, label: str = "cat") -> SampleImage:
    return SampleImage(label=label, jpeg=b64encode(data).decode())


def with_samples(*samples: SampleImage) -> Adapter:
    adapter = make_adapter()
    return replace(adapter, meta=adapter.meta.model_copy(update={"samples": samples}))


def test_they_come_back_and_those_without_have_the_bytes_of_before() -> None:
    data = encode(with_samples(sample(), sample(label="dog")))
    assert [one.label for one in decode(data).meta.samples] == ["cat", "dog"]
    assert decode(data).meta.samples[0].jpeg == sample().jpeg
    assert b"samples" not in encode(make_adapter())


BAD = {
    "many": ([sample()] * 13, "13 sample images, the limit is 12"),
    "long": ([sample(), sample(image_bytes(0, (90, 90), "JPEG"))], "2 has .* limit is 4,096"),
    "large": ([sample(image_bytes(0, (97, 1), "JPEG"))], "97 x 1 pixels, the limit is 96"),
    "png": ([sample(image_bytes(0))], "is no JPEG"),
    "cut": ([sample(JPEG[:-2])], "is no JPEG"),
    "without a header": ([sample(b"\xff\xd8\xff\xd9")], "is no JPEG"),
    "without a size": ([sample(JPEG.replace(b"\xff\xc0", b"\xff\xc4"))], "is no JPEG"),
    "words": ([SampleImage(label="cat", jpeg="no base64!")], "is no base64"),
    "wordy": ([sample(label="x" * 201)], "label of 201 characters"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_none_is_neither_published_nor_loaded(bad: str, tmp_path: Path) -> None:
    samples, reason = BAD[bad]
    data = encode(with_samples(*samples))
    store = DirectoryStore(tmp_path / "store")
    with pytest.raises(ArtifactMismatch, match=reason):
        store.publish(data)
    assert not store.root.exists(), "nothing is written"
    with pytest.raises(ArtifactMismatch, match=reason):
        decode(data)


@pytest.mark.parametrize("end", range(0, len(JPEG), 7))
def test_a_header_of_any_length_is_looked_at_to_its_end(end: int) -> None:
    assert "is no JPEG" in str(samples_fault([sample(JPEG[:end] + b"\xff")]))


def test_a_comparison_counts_them() -> None:
    before, after = encode(with_samples()), encode(with_samples(sample()))
    found = differences(read_contents(before), read_contents(after))
    assert [tuple(one) for one in found] == [("num_samples", 0, 1)]
