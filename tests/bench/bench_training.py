"""How long a training step of SPT-Deep takes with prompts as keys and values, over as tokens."""

import statistics
from collections.abc import Callable

import torch
import torch.nn.functional as F

from adapters.vit.backbone import choose_device
from tests.bench.measure import in_turns, speed_ratio
from tests.bench.models import NUM_CLASSES, NUM_PROMPTS, make_backbone, random_pixels
from tests.bench.result import Result, Settings
from tests.bench.token_form import TokenForm
from trainer.methods.prompted import PromptedClassifier
from trainer.recipe import Recipe
from trainer.training.forward import forward_of

BACKBONES = ("vit_small_patch16_224",)
PRECISIONS = ("bfloat16", "float32")
ROWS = 64 if choose_device().type == "cuda" else 8
FORMS = {"keys and values": PromptedClassifier, "tokens": TokenForm}


def run(settings: Settings) -> Result:
    """Time forward and backward of both forms in turns, and compare their gradients."""
    result = Result("training", notes=_notes())
    for name in BACKBONES:
        for precision in PRECISIONS[:1] if settings.short else PRECISIONS:
            _measure(result, name, precision, rounds=3 if settings.short else 15)
        result.ratios[f"{name}_gradients_apart_float64"] = _apart(name)
    return result


def _measure(result: Result, name: str, precision: str, rounds: int) -> None:
    steps = {form: _step(kind, name, precision) for form, kind in FORMS.items()}
    seconds = in_turns(steps, rounds)
    for form in steps:
        per_image = statistics.median(seconds[form]) / ROWS
        result.rows.append(
            {
                "backbone": name,
                "precision": precision,
                "form": form,
                "ms_per_image": per_image * 1e3,
                "time_over_tokens": speed_ratio(seconds, "tokens", form).median,
            }
        )
    result.add_ratio(
        f"{name}_{precision}_time_over_tokens", speed_ratio(seconds, "tokens", "keys and values")
    )


def _step(kind: type[PromptedClassifier], name: str, precision: str) -> Callable[[], object]:
    model = _model(kind, name)
    recipe = Recipe(task="bench", compute={"precision": precision})
    forward = forward_of(model, recipe, model.backbone.device)
    pixels, labels = random_pixels(model.backbone, ROWS), torch.arange(ROWS) % NUM_CLASSES

    def step() -> float:
        model.zero_grad()
        loss = F.cross_entropy(forward(pixels), labels.to(model.backbone.device))
        loss.backward()
        return loss.item()

    return step


def _model(kind: type[PromptedClassifier], name: str) -> PromptedClassifier:
    backbone = make_backbone(name)
    torch.manual_seed(0)
    shape = backbone.spec.depth, NUM_PROMPTS, backbone.spec.width
    return kind(backbone, NUM_CLASSES, torch.randn(shape)).to(backbone.device)


def _apart(name: str) -> float:
    """Return the largest relative difference of any part's gradients in float64, two images."""
    gradients = []
    for kind in FORMS.values():
        model = _model(kind, name).double()
        model.backbone.trunk.double()
        pixels = random_pixels(model.backbone, 2).double().to(model.backbone.device)
        model(pixels).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    ours, theirs = gradients
    return max(float((a - b).norm() / b.norm()) for a, b in zip(ours, theirs, strict=True))


def _notes() -> list[str]:
    return [
        f"forward and backward of {ROWS} random images, {NUM_PROMPTS} prompts a block, class token "
        "read, random weights; bfloat16 by autocast as in training",
        "time_over_tokens: seconds of a step over those of the token form, in turns; goal 0.88",
    ]
