"""What each process of `test_distributed.py` runs: a short training, told to a file by rank 0."""

import json
import sys
from pathlib import Path

import torch
from torch.utils.data import TensorDataset

from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, toy_pixels, toy_recipe
from trainer.methods.prompted import PromptedClassifier
from trainer.training import distributed
from trainer.training.images import batches
from trainer.training.loop import Job, train


def doubled(count: int, seed: int) -> TensorDataset:
    """Return the toy task in float64."""
    pixels, labels = toy_pixels(count, seed)
    return TensorDataset(pixels.double(), labels)


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
