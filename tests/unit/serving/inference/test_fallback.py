"""The previous good version answers while the one that should cannot be loaded, and says so."""

from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.artifact.meta import AdapterMeta
from adapters.cache.cached_store import CachedStore
from adapters.cache.signed_source import ArtifactSource
from adapters.errors import (
    ArtifactCorrupt,
    ArtifactMismatch,
    SignatureInvalid,
    StoreUnavailable,
    TaskNotFound,
    VersionNotFound,
)
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.errors import DeviceOutOfMemory
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.inference.fallback import RETRY_S, Fallback
from serving.protocol import Answer
from serving.rows.resident import AdapterKey
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.tiny import image_bytes, tiny_backbone

TASK = "pets"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Reads(ArtifactSource):
    """A source of artifacts that counts the reads of each version, and refuses some."""

    def __init__(self, source: CachedStore) -> None:
        self.source = source
        self.counts: dict[str, int] = {}
        self.refused: dict[str, Exception] = {}

    def read(self, task: str, version: str) -> bytes:
        self.counts[version] = self.counts.get(version, 0) + 1
        if version in self.refused:
            raise self.refused[version]
        return self.source.read(task, version)

    def describe(self, task: str, version: str) -> AdapterMeta:
        return self.source.describe(task, version)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture(autouse=True)
def patient_with_a_busy_machine(monkeypatch):
    monkeypatch.setattr("serving.inference.fallback.FOREIGN_S", 60.0)


class Scene:
    """An engine on a store of its own, whose clock stands still."""

    def __init__(self, root: Path, backbone) -> None:
        self.backbone = backbone
        self.source = CachedStore(DirectoryStore(root), pointer_ttl_s=0.0)
        self.reads = Reads(self.source)
        self.bank = AdapterBank(backbone, self.reads, 1 << 20)
        self.engine = Engine(Core(CpuBackend(backbone), self.source, self.bank), patience_s=60.0)
        self.clock = Clock()
        self.engine.core.lookup._fallback = Fallback(self.source, self.bank, self.clock)

    def publish(self, seed: int, **options) -> str:
        data = encode(make_adapter(TASK, seed=seed, backbone=self.backbone.spec))
        self.source.publish(data, **options)
        return version_of(data)

    def file(self, version: str) -> Path:
        return self.source.store.root / TASK / "versions" / f"{version}.safetensors"

    def ask(self, version: str | None = None, image: int = 0):
        (outcome,) = self.engine.predict([Query(image_bytes(image), TASK, version=version)])
        return outcome.version if isinstance(outcome, Answer) else outcome


@pytest.fixture
def scene(tmp_path, backbone):
    scene = Scene(tmp_path / "store", backbone)
    yield scene
    scene.engine.close()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


DAMAGES = {"cut": cut, "empty": lambda path: path.write_bytes(b""), "gone": Path.unlink}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_new_version_never_answers_and_the_one_before_goes_on(scene, damage):
    good = scene.publish(1)
    assert scene.ask() == good
    bad = scene.publish(2)
    DAMAGES[damage](scene.file(bad))
    assert scene.ask() == good


def test_a_foreign_new_version_never_answers_and_the_one_before_goes_on(scene):
    good = scene.publish(1)
    foreign = encode(make_adapter(TASK, backbone=make_spec(name="another")))
    scene.source.publish(foreign)
    assert scene.ask() == good
    assert isinstance(scene.ask(version_of(foreign)), ArtifactMismatch)


def test_an_unsigned_new_version_never_answers_and_the_one_before_goes_on(scene):
    good, bad = scene.publish(1), scene.publish(2)
    scene.reads.refused[bad] = SignatureInvalid("nobody signed it")
    assert scene.ask() == good


def test_a_process_that_served_nothing_yet_takes_the_newest_of_the_history_that_loads(scene):
    first, second, third, fourth = (scene.publish(seed) for seed in range(4))
    cut(scene.file(fourth))
    cut(scene.file(third))
    assert scene.ask() == second
    assert first not in scene.reads.counts


def test_the_version_that_was_served_last_goes_before_the_history(scene):
    first, second = scene.publish(1), scene.publish(2)
    for _ in range(2):
        assert scene.ask() == second
    scene.source.rollback(TASK)
    cut(scene.file(first))
    assert scene.ask() == second


def test_a_named_version_that_is_damaged_is_an_error_and_nothing_else_answers(scene):
    scene.publish(1)
    bad = scene.publish(2)
    cut(scene.file(bad))
    assert isinstance(scene.ask(bad), ArtifactCorrupt)
    good, error = scene.engine.predict(
        [Query(image_bytes(0), TASK), Query(image_bytes(0), TASK, version=bad)]
    )
    assert isinstance(good, Answer)
    assert isinstance(error, ArtifactCorrupt)


def test_a_damaged_version_is_tried_again_now_and_then_and_not_by_every_request(scene):
    scene.publish(1)
    bad = scene.publish(2)
    cut(scene.file(bad))
    for _ in range(20):
        scene.ask()
    assert scene.reads.counts[bad] == 1
    scene.clock.now += RETRY_S
    for _ in range(20):
        scene.ask()
    assert scene.reads.counts[bad] == 2


def test_a_stand_in_that_goes_too_is_stood_in_for_and_not_read_by_every_request(scene):
    first, second, third = (scene.publish(seed) for seed in range(3))
    cut(scene.file(third))
    assert scene.ask() == second
    scene.bank.make_room()
    scene.file(second).unlink()
    reads = scene.reads.counts[second]
    assert [scene.ask() for _ in range(5)] == [first] * 5
    assert scene.reads.counts[second] == reads + 1
    assert scene.reads.counts[third] == 1


def test_a_version_that_was_published_again_answers_after_the_next_try(scene):
    good, bad = scene.publish(1), scene.publish(2)
    whole = scene.file(bad).read_bytes()
    cut(scene.file(bad))
    assert scene.ask() == good
    scene.file(bad).write_bytes(whole)
    assert scene.ask() == good
    scene.clock.now += RETRY_S
    assert [scene.ask() for _ in range(3)] == [bad] * 3
    assert scene.engine.core.lookup.trouble_with(AdapterKey(TASK, bad)) is None


def test_a_newer_version_is_tried_at_once(scene):
    scene.publish(1)
    cut(scene.file(scene.publish(2)))
    scene.ask()
    third = scene.publish(3)
    assert scene.ask() == third


def test_trouble_is_logged_once_for_each_version(scene, caplog):
    good, bad = scene.publish(1), scene.publish(2)
    cut(scene.file(bad))
    for _ in range(3):
        scene.ask()
        scene.clock.now += RETRY_S
    lines = [r.message for r in caplog.records if r.name == "serving.inference.fallback"]
    assert len(lines) == 1
    assert bad in lines[0]
    assert f"{good[:12]} answers instead" in lines[0]


def test_a_task_whose_only_version_is_damaged_is_an_error_that_does_not_read_it_again(scene):
    only = scene.publish(1)
    cut(scene.file(only))
    assert all(isinstance(scene.ask(), ArtifactCorrupt) for _ in range(5))
    assert scene.reads.counts[only] == 1


def test_a_damaged_canary_leaves_its_share_to_the_current_version(scene):
    current = scene.publish(1)
    canary = scene.publish(2, canary=0.5)
    met = {scene.ask(image=i) for i in range(40)}
    assert met == {current, canary}
    scene.publish(3, canary=0.5)
    (third,) = scene.source.current(TASK).answering - {current}
    cut(scene.file(third))
    assert {scene.ask(image=i) for i in range(40)} == {current}
    assert scene.reads.counts[third] == 1


def test_a_store_that_is_away_leaves_the_task_to_what_is_on_the_device(scene):
    good = scene.publish(1)
    for _ in range(2):
        assert scene.ask() == good
    new = scene.publish(2)
    scene.reads.refused[new] = StoreUnavailable("the disk is gone")
    assert scene.ask() == good
    del scene.reads.refused[new]
    assert scene.ask() == new


def test_a_store_that_is_away_is_an_error_where_nothing_is_on_the_device(scene):
    scene.publish(1)
    new = scene.publish(2)
    scene.reads.refused[new] = StoreUnavailable("the disk is gone")
    assert isinstance(scene.ask(), StoreUnavailable)


def test_a_task_without_its_folder_and_a_full_device_are_nobodys_fault(scene):
    scene.publish(1)
    new = scene.publish(2)
    for error in (TaskNotFound("gone"), DeviceOutOfMemory("full")):
        scene.reads.refused[new] = error
        assert scene.ask() is error
    del scene.reads.refused[new]
    assert scene.ask() == new


def test_rows_of_one_batch_that_ask_a_damaged_version_all_get_the_one_before(scene):
    good, bad = scene.publish(1), scene.publish(2)
    scene.reads.refused[bad] = VersionNotFound("gone")
    answers = scene.engine.predict([Query(image_bytes(i), TASK) for i in range(7)])
    assert [answer.version for answer in answers] == [good] * 7
    assert scene.reads.counts == {good: 1, bad: 1}


def test_what_is_remembered_of_a_bad_version_holds_on_to_no_tensor(scene):
    foreign = encode(make_adapter(TASK, backbone=make_spec(name="another")))
    scene.source.publish(foreign)
    first, second = scene.ask(), scene.ask()
    assert type(first) is type(second) is ArtifactMismatch
    assert str(first) == str(second)
    assert first.__traceback__ is not None
    assert second.__traceback__ is None


def test_an_image_that_is_broken_says_nothing_against_its_version(scene):
    version = scene.publish(1)
    scene.engine.predict([Query(b"no image", TASK)])
    assert scene.engine.core.lookup.trouble_with(AdapterKey(TASK, version)) is None


def test_a_version_that_was_deleted_stands_in_for_none_though_it_is_on_the_device(scene):
    older, good, bad = (scene.publish(seed) for seed in range(3))
    cut(scene.file(bad))
    assert scene.ask() == good
    scene.source.store.remove(TASK, good)
    assert scene.ask() == older
    scene.source.store.remove(TASK, older)
    assert isinstance(scene.ask(), ArtifactCorrupt)
    assert AdapterKey(TASK, good) in scene.bank


def test_a_version_that_was_deleted_does_not_answer_for_one_that_is_out_of_reach(scene):
    good = scene.publish(1)
    for _ in range(2):
        assert scene.ask() == good
    new = scene.publish(2)
    scene.reads.refused[new] = StoreUnavailable("the disk is gone")
    assert scene.ask() == good
    scene.source.store.remove(TASK, good)
    assert isinstance(scene.ask(), StoreUnavailable)


def test_a_version_that_was_deleted_is_not_found_again_by_the_search(scene):
    good = scene.publish(1)
    for _ in range(2):
        assert scene.ask() == good
    bad = scene.publish(2)
    cut(scene.file(bad))
    scene.source.store.remove(TASK, good)
    assert isinstance(scene.ask(), ArtifactCorrupt)
