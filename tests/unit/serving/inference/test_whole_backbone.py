"""One backbone at full depth, from `spt train` to answers; `make backbones` tries all families."""

from pathlib import Path

from tests.backbones.__main__ import CLOSE, LEAST_EFFECT
from tests.backbones.families import FAMILIES
from tests.backbones.trial import TASKS, try_backbone


def test_tasks_of_a_whole_backbone_are_served_as_computed_offline(tmp_path: Path) -> None:
    found = try_backbone(FAMILIES["eva02"]._replace(image_size=56), tmp_path)
    assert found.answers == 2 * 2 * len(TASKS)
    assert found.error < CLOSE
    assert found.effect > LEAST_EFFECT
