"""What each process of `test_distributed.py` runs: a short training, told to a file by rank 0."""

import json
import sys
from hashlib import sha256
from pathlib import Path

import torch
from torch.utils.data import TensorDataset

from adapters.artifact.preprocessing import Preprocessing
from tests.fakes.tiny import HALF, tiny_backbone
from tests.unit.trainer.toy import COLOURS, ignore, save_noisy, toy_pixels, toy_recipe
from trainer.data.task_data import Sample
from trainer.methods.prompted import PromptedClassifier
from trainer.training import distributed
from trainer.training.images import ImageSet, batches
from trainer.training.loop import Job, train

RULE = Preprocessing(resize="squash", resize_size=16, crop=16, mean=HALF, std=HALF)


def doubled(count: int, seed: int) -> TensorDataset:
    """Return the toy task in float64."""
    pixels, labels = toy_pixels(count, seed)
    return TensorDataset(pixels.double(), labels)


def crops(out: Path) -> list[str]:
    """Return this process's crops of an epoch of augmented images, as digests."""
    path = save_noisy(out / f"image-{distributed.rank()}.png", COLOURS["red"], seed=0)
    images = ImageSet([Sample(path, 0)] * 4, RULE, augment="crop-flip")
    torch.manual_seed(1)
    drawn = batches(images, 2, shuffle=True, shared=True)
    return [sha256(crop.numpy().tobytes()).hexdigest() for pixels, _ in drawn for crop in pixels]


def main(out: Path) -> None:
    """Train, and keep the gradients of the last step with all else that must agree."""
    recipe = toy_recipe(optim={"epochs": 3, "warmup_epochs": 1, "batch_size": 8, "lr": 1e-2})
    torch.manual_seed(0)
    prompts = torch.randn(3, 2, 16, dtype=torch.float64)
    with distributed.joined():
        torch.manual_seed(distributed.rank())  # ranks may start apart: the first one's count
        model = PromptedClassifier(tiny_backbone(dtype=torch.float64), 2, prompts).double()
        training, validation = doubled(16, 0), doubled(7, 1)
        shares = [len(labels) for _, labels in batches(training, 8, shuffle=True, shared=True)]
        state, identity = out / "state.pt", recipe.provenance()
        job = Job(recipe, model, model, training, validation, state, identity, ignore)
        progress = train(job)
        (out / f"crops-{distributed.rank()}.json").write_text(json.dumps(crops(out)))
        if distributed.rank() == 0:
            found = {
                "gradients": [g for p in model.parameters() for g in p.grad.flatten().tolist()],
                "parameters": [v for p in model.parameters() for v in p.flatten().tolist()],
                "losses": progress.losses,
                "val_accuracies": progress.val_accuracies,
                "shares": shares,
            }
            (out / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
