"""The tasks of the suite and as many versions of each as are asked for."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.adapter import Adapter, encode
from tests.e2e.service import softer
from tests.fakes.artifacts import make_adapter
from tests.fakes.hostile import jpeg, photo

TASKS: Final = tuple(f"task-{number:02}" for number in range(20))
IMAGES: Final = tuple(jpeg(photo(seed=seed)) for seed in range(6))

_CLS: Final = {"pooling": "cls", "final_norm": "before-pooling"}
_FORMS: Final[tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]] = (
    ({"classes": 5, "prompts": 4}, {}),
    ({"classes": 7, "prompts": 20}, _CLS),
    ({"classes": 11, "prompts": 10, "method": "spt-shallow"}, {}),
    ({"classes": 3, "method": "linear"}, _CLS),
)
"""What an adapter of each form is made of, and how it reads the backbone out."""


def adapter_of(task: str, number: int, spec: BackboneSpec) -> Adapter:
    """Return one of a task's versions; each number has other prompts and another head."""
    place = TASKS.index(task)
    form, read_out = _FORMS[place % len(_FORMS)]
    seed = number * len(TASKS) + place
    backbone = spec.model_copy(update=read_out)
    return softer(make_adapter(task, seed=seed, backbone=backbone, **form))


def artifact_of(task: str, number: int, spec: BackboneSpec) -> bytes:
    """Return the artifact of `adapter_of`."""
    return encode(adapter_of(task, number, spec))
