"""Where and how a batch is computed."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import toy_pixels, toy_recipe
from trainer.errors import TrainingError
from trainer.methods.build import build
from trainer.training import forward as module
from trainer.training.forward import forward_of, out_of_memory_explained

CPU = torch.device("cpu")


def forward(**compute: object) -> Callable[[Tensor], Tensor]:
    torch.manual_seed(0)
    recipe = toy_recipe(compute=compute)
    return forward_of(build(recipe.method, tiny_backbone(), 2, torch.ones(3, 2, 16)), recipe, CPU)


def test_bfloat16_rounds_the_products_and_gives_float32_logits():
    pixels, _ = toy_pixels(4)
    exact, half = forward()(pixels), forward(precision="bfloat16")(pixels)
    assert half.dtype == torch.float32
    assert not torch.equal(exact, half)
    assert torch.allclose(exact, half, atol=0.1)


def test_it_is_compiled_only_when_asked(monkeypatch: pytest.MonkeyPatch):
    compiled: list[nn.Module] = []

    def compile_module(model: nn.Module) -> nn.Module:
        compiled.append(model)
        return model

    monkeypatch.setattr(module.torch, "compile", compile_module)
    forward()
    assert not compiled
    forward(compile=True)
    assert len(compiled) == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore lines"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_no_memory_left_names_what_to_lower_in_one_line(error: RuntimeError):
    with pytest.raises(TrainingError) as told, out_of_memory_explained(toy_recipe()):
        raise error
    assert "lower optim.batch_size (now 4) or set compute.precision=bfloat16" in str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_already_bfloat16_is_not_advised():
    recipe = toy_recipe(compute={"precision": "bfloat16"})
    with pytest.raises(TrainingError) as told, out_of_memory_explained(recipe):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert "compute.precision" not in str(told.value)
