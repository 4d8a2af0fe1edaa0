"""Pre-train the embedded backbone: MAE on CIFAR-10's training images, on a CPU or a GPU.

Leaves `backbone.safetensors` (float16, the trunk alone) and `pretrain.json` (loss curve,
settings, hardware). A stopped run continues from `state.pt` of its folder.
"""

import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from rich.progress import Progress
from safetensors.torch import save_file
from torch import Tensor

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.vit.architecture import create_trunk
from trainer.errors import ResumeError
from trainer.pretraining.cifar10 import load_cifar10
from trainer.pretraining.mae import MaskedAutoencoder
from trainer.pretraining.recipe import PretrainRecipe
from trainer.training.schedule import learning_rate


def pretrain(recipe: PretrainRecipe, data: Path, out: Path) -> Path:
    """Run the recipe on the images in `data` and return the path of the float16 weights.

    Raises:
        DataError: the images are missing.
        ResumeError: `out` holds the state of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, _ = load_cifar10(data, "train")
    torch.manual_seed(recipe.seed)
    model = MaskedAutoencoder(create_trunk(EMBEDDED), mask_ratio=recipe.mask_ratio).to(device)
    optimizer = torch.optim.AdamW(
        _decay_groups(model, recipe.weight_decay), lr=recipe.lr, betas=(0.9, 0.95)
    )
    first, losses, seconds = _resume(out, recipe, model, optimizer)
    with Progress() as progress:
        bar = progress.add_task("pre-training", total=recipe.epochs, completed=first)
        for epoch in range(first, recipe.epochs):
            started = time.monotonic()
            losses.append(_epoch(epoch, recipe, model, optimizer, images))
            seconds += time.monotonic() - started
            _checkpoint(out, recipe, model, optimizer, losses, seconds)
            progress.update(bar, advance=1, description=f"pre-training, loss {losses[-1]:.4f}")
            progress.console.print(f"epoch {epoch + 1}: loss {losses[-1]:.4f}, {seconds:.0f} s")
    return _export(out, recipe, model, losses, seconds)


def _epoch(
    epoch: int,
    recipe: PretrainRecipe,
    model: MaskedAutoencoder,
    optimizer: torch.optim.Optimizer,
    images: UInt8[Tensor, "M 3 h w"],
) -> float:
    torch.manual_seed(recipe.seed * 100_003 + epoch)
    steps = len(images) // recipe.batch_size
    total = 0.0
    for i, pixels in enumerate(_batches(images, recipe)):
        rate = learning_rate(
            epoch * steps + i,
            peak=recipe.lr,
            warmup_steps=round(recipe.warmup_epochs * steps),
            total_steps=recipe.epochs * steps,
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = model(pixels.to(next(model.parameters()).device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / steps


def _batches(
    images: UInt8[Tensor, "M 3 h w"], recipe: PretrainRecipe
) -> Iterator[Float[Tensor, "B 3 64 64"]]:
    order = torch.randperm(len(images))
    for start in range(0, len(images) - recipe.batch_size + 1, recipe.batch_size):
        batch = images[order[start : start + recipe.batch_size]].float() / 127.5 - 1
        yield _random_crop_and_flip(batch, recipe.min_crop)


def _random_crop_and_flip(
    batch: Float[Tensor, "B 3 h w"], min_crop: float
) -> Float[Tensor, "B 3 64 64"]:
    count = len(batch)
    scale = torch.empty(count).uniform_(min_crop, 1)
    flip = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    shift = (torch.rand(count, 2) * 2 - 1) * (1 - scale)[:, None]
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = scale * flip, scale
    theta[:, :, 2] = shift
    grid = F.affine_grid(theta, [count, 3, 64, 64], align_corners=False)
    return F.grid_sample(batch, grid, padding_mode="reflection", align_corners=False)


def _decay_groups(model: MaskedAutoencoder, weight_decay: float) -> list[dict[str, object]]:
    trainable = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _checkpoint(
    out: Path,
    recipe: PretrainRecipe,
    model: MaskedAutoencoder,
    optimizer: torch.optim.Optimizer,
    losses: list[float],
    seconds: float,
) -> None:
    state = {
        "recipe": recipe.model_dump(),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "losses": losses,
        "seconds": seconds,
    }
    torch.save(state, out / "state.tmp")
    os.replace(out / "state.tmp", out / "state.pt")


def _resume(
    out: Path,
    recipe: PretrainRecipe,
    model: MaskedAutoencoder,
    optimizer: torch.optim.Optimizer,
) -> tuple[int, list[float], float]:
    path = out / "state.pt"
    if not path.exists():
        return 0, [], 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != recipe.model_dump():
        raise ResumeError(
            f"{path} is the state of another recipe ({state['recipe']}); "
            "choose another --out or delete the folder"
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return len(state["losses"]), list(state["losses"]), float(state["seconds"])


def _export(
    out: Path,
    recipe: PretrainRecipe,
    model: MaskedAutoencoder,
    losses: list[float],
    seconds: float,
) -> Path:
    weights = {k: v.half().contiguous().cpu() for k, v in model.encoder.state_dict().items()}
    path = out / "backbone.safetensors"
    save_file(weights, path)
    report = {
        "recipe": recipe.model_dump(),
        "loss_per_epoch": losses,
        "seconds": round(seconds),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
    }
    (out / "pretrain.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    return path
