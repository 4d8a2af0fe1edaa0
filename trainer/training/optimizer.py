"""The optimiser of a method's parts: which decays how much, and at which rate it learns."""

import torch

from trainer.methods.classifier import Classifier
from trainer.recipe_parts import OptimRecipe
from trainer.training.schedule import learning_rate


def make_optimizer(model: Classifier, optim: OptimRecipe) -> torch.optim.Optimizer:
    """Return AdamW with torch's defaults (paper 4.1) or SGD, its groups each with a `peak` rate.

    The head's matrix has its own weight decay, and so has a second head's. Vectors and biases have
    none, as in the official code, unless all is to decay; a head's bias never does.
    """
    head_lr = optim.head_lr or optim.lr
    of_vectors = optim.weight_decay if optim.decay == "all" else 0.0
    groups: list[dict[str, object]] = [
        {"params": [], "weight_decay": optim.head_weight_decay, "peak": head_lr},
        {"params": [], "weight_decay": 0.0, "peak": head_lr},
        {"params": [], "weight_decay": optim.weight_decay, "peak": optim.lr},
        {"params": [], "weight_decay": of_vectors, "peak": optim.lr},
    ]
    for name, parameter in model.named_parameters():
        place = (0 if model.is_head(name) else 2) + (parameter.ndim <= 1)
        groups[place]["params"].append(parameter)  # type: ignore[attr-defined]
    used = [group for group in groups if group["params"]]
    if optim.name == "sgd":
        return torch.optim.SGD(used, lr=optim.lr, momentum=optim.momentum)
    return torch.optim.AdamW(used, lr=optim.lr)


def set_rates(optimizer: torch.optim.Optimizer, optim: OptimRecipe, step: int, steps: int) -> None:
    """Set every group's rate for a step.

    Args:
        optimizer: of `make_optimizer`.
        optim: peak, warm-up and length.
        step: index of the step about to be made in the whole run, from 0.
        steps: steps of one epoch.
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(
            step,
            peak=group["peak"],
            warmup_steps=round(optim.warmup_epochs * steps),
            total_steps=optim.epochs * steps,
        )
