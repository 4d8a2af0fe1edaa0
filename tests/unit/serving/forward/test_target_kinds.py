"""Tasks of every kind of target in one batch answer what plain formulas say; none hurts another."""

from collections.abc import Iterator

import pytest
import torch

from adapters.artifact.preprocessing import ImageLimits
from adapters.cache.cached_store import CachedStore
from adapters.images.decode import decode_image
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, encode
from adapters.vit.pixels import to_pixels
from serving.decoding.decoder import DecoderSettings
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.protocol import Answer, floats
from serving.rows.query import Extras
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.reference import reference_feature
from tests.fakes.targets import adapters_of_targets, expected_of
from tests.fakes.tiny import image_bytes, tiny_backbone

BACKBONE = tiny_backbone(dtype=torch.float64)
PLAIN = make_adapter("plain", classes=6, backbone=BACKBONE.spec, seed=9)
ADAPTERS = adapters_of_targets(BACKBONE.spec) | {"plain": PLAIN}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    store = CachedStore(DirectoryStore(tmp_path_factory.mktemp("store")))
    for adapter in ADAPTERS.values():
        store.publish(encode(adapter))
    engine = Engine(
        Core(CpuBackend(BACKBONE), store, AdapterBank(BACKBONE, store, 1 << 20)),
        decoding=DecoderSettings(ImageLimits(max_pixels=4096)),
    )
    yield engine
    engine.close()


def answers_of(engine: Engine, queries: list[Query]) -> list[Answer]:
    outcomes = engine.predict(queries)
    assert all(isinstance(one, Answer) for one in outcomes), outcomes
    return [one for one in outcomes if isinstance(one, Answer)]


def logits_of(adapter: Adapter, image: bytes) -> list[float]:
    pixels = to_pixels(decode_image(image), adapter.meta.preprocessing)
    feature = reference_feature(BACKBONE.trunk, adapter, pixels.double())
    return (adapter.head_weight.double() @ feature + adapter.head_bias).tolist()


@pytest.mark.parametrize("asked", [Extras(), Extras(embed=True, logits_bytes=10_000)])
def test_every_kind_in_one_batch_answers_what_its_formula_says(
    engine: Engine, asked: Extras
) -> None:
    queries = [
        Query(image_bytes(i), task, top_k=9, extras=asked) for i in range(3) for task in ADAPTERS
    ]
    for query, answer in zip(queries, answers_of(engine, queries), strict=True):
        adapter = ADAPTERS[query.task]
        expected = expected_of(adapter, logits_of(adapter, query.image))
        assert answer.target == expected["target"]
        scores = [one.score for one in answer.predictions]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == len(expected["scores"])
        for one in answer.predictions:
            assert one.score == pytest.approx(expected["scores"][one.index], abs=1e-12)
            assert one.label == adapter.meta.task.class_names[one.index]
        value = expected.get("value")
        assert answer.value == (None if value is None else pytest.approx(value, rel=1e-9))
        labels = expected.get("labels")
        assert (None if answer.labels is None else set(answer.labels)) == labels
        groups = answer.groups and {one.group: one.score for one in answer.groups}
        assert groups == (expected.get("groups") and pytest.approx(expected["groups"], abs=1e-12))
        if asked.logits_bytes:
            found = floats(answer.logits or "")
            assert found == pytest.approx(logits_of(adapter, query.image), rel=1e-5, abs=1e-5)


def test_the_rows_of_other_tasks_are_answered_to_the_bit_as_without_them(engine: Engine) -> None:
    plain = [Query(image_bytes(i), "plain", top_k=6) for i in range(4)]
    others = [Query(image_bytes(i), task) for i in range(4) for task in ADAPTERS if task != "plain"]
    together = answers_of(engine, [*others, *plain])[len(others) :]
    alone = answers_of(engine, plain)
    for one, other in zip(together, alone, strict=True):
        assert [p.index for p in one.predictions] == [p.index for p in other.predictions]
        for a, b in zip(one.predictions, other.predictions, strict=True):
            assert a.score == pytest.approx(b.score, abs=1e-12)
    assert one.model_dump().keys() == {"task", "version", "predictions"}


def test_every_label_that_an_image_has_is_told_whatever_top_k_is(engine: Engine) -> None:
    asked = [Query(image_bytes(i), "several", top_k=1) for i in range(20)]
    answers = answers_of(engine, asked)
    assert {len(answer.predictions) for answer in answers} == {1}
    assert max(len(answer.labels or ()) for answer in answers) > 1


def test_what_is_answered_is_read_back_by_a_client_as_it_was_sent(engine: Engine) -> None:
    for answer in answers_of(engine, [Query(image_bytes(0), task) for task in ADAPTERS]):
        assert Answer.model_validate_json(answer.model_dump_json()) == answer
