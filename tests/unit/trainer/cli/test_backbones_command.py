"""`spt backbones` says of every checkpoint whether it is accepted, and why not."""

import json

import pytest
import timm

from trainer.__main__ import main

DEIT, RELPOS = "deit_tiny_patch16_224.fb_in1k", "vit_relpos_small_patch16_224.sw_in1k"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let timm know two checkpoints, each of which takes a moment to build."""
    monkeypatch.setattr(timm, "list_models", lambda **_: [RELPOS, DEIT])


def test_a_program_gets_every_fact_of_each(capsys: pytest.CaptureFixture[str]):
    assert main(["backbones", "--json"]) == 0
    accepted, refused = json.loads(capsys.readouterr().out)
    assert accepted == {
        "name": DEIT,
        "accepted": True,
        "reason": None,
        "parameters": 5_524_416,
        "image_size": 224,
        "licence": "apache-2.0",
        "pooling": "cls",
        "final_norm": "before-pooling",
    }
    assert (refused["name"], refused["accepted"]) == (RELPOS, False)
    assert refused["reason"] == "it is a VisionTransformerRelPos"
    assert (refused["pooling"], refused["final_norm"]) == (None, None)


def test_people_get_a_line_each_and_how_many_are_accepted(capsys: pytest.CaptureFixture[str]):
    assert main(["backbones"]) == 0
    deit, relpos, count = capsys.readouterr().out.splitlines()
    assert deit.startswith(DEIT)
    assert deit.endswith("5.5 M  224 px  apache-2.0       cls, norm before-pooling")
    assert relpos.endswith("it is a VisionTransformerRelPos")
    assert count == f"1 of 2 checkpoints of timm {timm.__version__} are accepted"
