"""What the pages show can be typed: their blocks run, page by page, as a reader would run them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import timm

from adapters.vit.backbone import Backbone, load_backbone
from tests.documents import service
from tests.documents.markdown import Block, blocks
from tests.documents.scene import ROOT, Scene, entered
from tests.documents.steps import Step, matches, steps
from trainer.data.builtin.catalogue import BUILTIN
from trainer.data.builtin.rendering import Sizes

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TUTORIAL = "tutorial.md"
"""It begins with an empty folder, and has a test of its own: tests/e2e/test_tutorial.py."""

ASKS = re.compile(r"^\$ .*\b(?:spt (?:predict|tasks|bench)|curl) |^from clients", re.MULTILINE)
"""Who asks a service."""

REASONS = {
    "needs a GPU",
    "needs a head that you have",
    "needs images that you have",
    "needs an account, or a package of others",
    "starts another service",
    "takes minutes",
    "there is no such bucket here",
}
"""Why a block may be left out."""

DEIT = "deit_tiny_patch16_224.fb_in1k"
"""The one checkpoint that timm knows here: `spt backbones` builds each."""

FEW = Sizes(train=200, val=20, test=20)
"""Images of digits here."""

BEFORE = {
    "spt canary digits --end": ["spt publish other.safetensors --canary 0.1"],
    "spt rm digits 3f2a9c": ["spt pin digits 3f2a9c --off"],
    "spt publish new.safetensors --trust keys/b.public.pem": [
        "spt keygen keys/a",
        "spt keygen keys/b",
        "spt sign new.safetensors --key keys/b.private.pem",
        "spt sign --all --key keys/b.private.pem",
    ],
    "spt sign --all --key keys/new.private.pem --trust keys/old.public.pem": [
        "spt keygen keys/old",
        "spt keygen keys/new",
        "spt sign --all --key keys/old.private.pem",
    ],
    "spt keygen keys/new": [
        "rm keys/new.private.pem keys/new.public.pem",
        "spt promote digits 9b1c40",
        "spt sign digits --key keys/old.private.pem",
    ],
    "spt export runs/train/digits": [
        "spt train digits --no-publish --set optim.epochs=1 --set data.shots=1"
    ],
    "spt bench photos --task digits=3 --task shapes --callers 16 --seconds 30": [
        "export SPT_TOKEN_FILE=runs/serve/inference.token"
    ],
}
"""Of a command, what a reader has typed on another day."""


def run_of(page: Path) -> list[Block]:
    """Return the blocks of a page that are run."""
    return [b for b in blocks(page) if b.language in {"console", "python"} and not b.not_run]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone()


@pytest.fixture
def scene(
    request: pytest.FixtureRequest,
    backbone: Backbone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    """Yield a folder with what a reader of the page has by now."""
    monkeypatch.setattr(timm, "list_models", lambda **_: [DEIT])
    monkeypatch.setitem(BUILTIN, "digits", replace(BUILTIN["digits"], sizes=FEW))
    service.write_images(tmp_path)
    service.write_head(backbone, tmp_path)
    names = service.publish(backbone, tmp_path)
    scene = Scene(tmp_path, before=dict(BEFORE), names=names)
    with entered(tmp_path), service.redis(tmp_path):
        page = request.getfixturevalue("page")
        if not any(ASKS.search(block.text) for block in run_of(page)):
            yield scene
            return
        with service.answering(tmp_path) as scene.url:
            yield scene


@pytest.mark.parametrize(
    "page", [p for p in PAGES if run_of(p) and p.name != TUTORIAL], ids=lambda path: path.name
)
def test_what_a_page_shows_runs(page: Path, scene: Scene) -> None:
    for block in run_of(page):
        scene.run(block)


def test_what_is_not_run_says_why_and_is_less_than_what_is_run() -> None:
    left_out = [block for page in PAGES for block in blocks(page) if block.not_run]
    assert {block.not_run for block in left_out} == REASONS
    assert {block.language for block in left_out} == {"console"}
    assert len(left_out) < sum(len(run_of(page)) for page in PAGES)


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with entered(tmp_path), pytest.raises(AssertionError, match=r"line 1: spt ls(.|\n)*code 1"):
        scene.run(Block("console", "$ spt ls\n", 1))
    with entered(tmp_path), pytest.raises(AssertionError, match="exit code 3"):
        scene.run(Block("console", "$ exit 3\n", 1))


def test_another_output_than_is_shown_is_found(tmp_path: Path) -> None:
    with entered(tmp_path), pytest.raises(AssertionError, match="shown: bye"):
        Scene(tmp_path).run(Block("console", "$ echo hello\nbye\n", 1))


def test_what_is_exported_is_there_for_the_next_line_and_gone_after_the_page(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_text("red")
    text = "$ export A_B=$(cat a)   # one\n$ echo $A_B  # why\nred\n"
    with entered(tmp_path):
        Scene(tmp_path).run(Block("console", text, 1))
    with entered(tmp_path), pytest.raises(AssertionError, match="shown"):
        Scene(tmp_path).run(Block("console", "$ echo $A_B\nred\n", 1))


def test_a_line_has_its_variables_its_command_and_what_it_prints() -> None:
    text = "$ A=$(cat a b) B=c spt ls \\\n    --json  # why\n[\n]\n$ make docs\n"
    assert steps(Block("console", text, 1)) == [
        Step("A=$(cat a b) B=c spt ls      --json  # why", "[\n]\n"),
        Step("make docs"),
    ]
    first, _ = steps(Block("console", text, 1))
    assert first.assignments == {"A": "$(cat a b)", "B": "c"}
    assert first.program == "spt"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a … b", "a\n1\n2 b\n", True),
        ("score 0.9960609", "score 0.12", True),
        ("score 0.9960609", "score none", False),
        ("12 images", "13 images", False),
        ("version 3f2a9c3f2a9c", "version 0123456789ab", True),
        ("two  words", "two\nwords", True),
        ("a", "a b", False),
    ],
)
def test_what_is_shown_is_what_is_printed(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) is same
