"""The training loop: epochs over batches, a score after each, and a state to resume from.

Knows nothing of datasets' layouts, artifacts or publishing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from trainer.errors import TrainingError
from trainer.methods.classifier import Classifier
from trainer.objectives.classes import SingleLabel
from trainer.objectives.objective import Objective
from trainer.recipe import Recipe
from trainer.training import distributed
from trainer.training.checkpoint import Progress, restore, save
from trainer.training.evaluate import Forward, validation_score
from trainer.training.forward import recomputed
from trainer.training.identity import Identity
from trainer.training.images import Split, batches
from trainer.training.optimizer import make_optimizer, set_rates
from trainer.training.regularising.averages import averaged, first_average, update
from trainer.training.regularising.noise import noise
from trainer.training.regularising.stopping import has_stopped

Watch = Callable[[Progress, int, int, float], None]
"""Called after each step with progress, step, steps per epoch and the running loss."""

EpochWatch = Callable[[Progress], None]
"""Called after each epoch, once it is scored and before its state is written."""

Observer = Callable[[], tuple[str, object]]
"""Called before the first epoch and after each; returns a name and what it found."""


@dataclass(frozen=True)
class Job:
    """What the loop works on.

    Attributes:
        recipe: decides everything.
        model: holds the trainable parameters.
        forward: inputs of the splits to logits; the model itself, or its head on cached features.
        training: batches of it are drawn.
        validation: scored after each epoch.
        state: file of the resumable state, written atomically after each epoch.
        identity: what the run is of, kept in its state; a state of anything else is refused.
        watch: told of every step.
        observers: look at the model between epochs.
        offset: added to the logits in the loss, and nowhere else; see `long_tail`.
        objective: what is minimised, and how validation is scored.
        epoch_watch: told of every epoch; what it raises ends the training.
    """

    recipe: Recipe
    model: Classifier
    forward: Forward
    training: Split
    validation: Split
    state: Path
    identity: Identity
    watch: Watch
    observers: Sequence[Observer] = ()
    offset: Tensor | None = None
    objective: Objective = field(default_factory=SingleLabel)
    epoch_watch: EpochWatch = lambda _: None


def train(job: Job, progress: Progress | None = None) -> Progress:
    """Train the model's parts in place, from the saved state if a run was interrupted.

    A run that was stopped after any epoch ends with the same numbers as one that was not.

    Args:
        job: what to work on.
        progress: where a run that has no state yet begins.

    Raises:
        ResumeError: the state belongs to another run, or is damaged.
        OutputError: the state cannot be written.
        TrainingError: the loss is no longer a number.
    """
    recipe, model = job.recipe, job.model
    optimizer = make_optimizer(model, recipe.optim)
    if job.state.exists():
        progress = restore(job.state, job.identity, model, optimizer)
    else:
        progress = progress or Progress()
        _observe(job, progress)
    distributed.same_everywhere(model.state_dict().values())
    if recipe.optim.ema is not None and not progress.average:
        progress.average = first_average(model)
    for epoch in range(progress.epochs, recipe.optim.epochs):
        if has_stopped(recipe.optim, progress.val_accuracies):
            break
        began = time.monotonic()
        torch.manual_seed(recipe.seed * 1_000_003 + epoch)
        progress.losses.append(_train_epoch(job, optimizer, progress))
        with averaged(model, progress.average):
            _score(job, progress, began)
        job.epoch_watch(progress)
        if distributed.rank() == 0:
            save(job.state, job.identity, model, optimizer, progress)
        distributed.wait()
    if recipe.select == "best-validation":
        model.load_state_dict(progress.best)
    elif progress.average:
        model.load_state_dict(progress.average)
    return progress


def steps_per_epoch(recipe: Recipe, training: Split) -> int:
    """Return the number of full batches, at least one."""
    return max(1, len(training) // recipe.optim.batch_size)


def _train_epoch(job: Job, optimizer: torch.optim.Optimizer, progress: Progress) -> float:
    optim, epoch = job.recipe.optim, progress.epochs
    steps = steps_per_epoch(job.recipe, job.training)
    whole = min(optim.batch_size, len(job.training))
    running = 0.0
    balanced = job.recipe.data.sampling == "balanced"
    drawn = batches(job.training, optim.batch_size, shuffle=True, balanced=balanced, shared=True)
    for step, (inputs, labels) in enumerate(drawn):
        set_rates(optimizer, optim, epoch * steps + step, steps)
        optimizer.zero_grad()
        share = _backward(job, inputs, labels, whole)
        distributed.add_gradients(job.model.parameters())
        loss = float(distributed.total(share))
        if not loss < torch.inf:
            raise TrainingError(_no_number(job.recipe, loss, epoch, step))
        if optim.clip_norm is not None:
            nn.utils.clip_grad_norm_(job.model.parameters(), optim.clip_norm)
        optimizer.step()
        if optim.ema is not None:
            update(progress.average, job.model, optim.ema, epoch * steps + step)
        running += loss
        job.watch(progress, step + 1, steps, running / (step + 1))
    return running / steps


def _backward(job: Job, inputs: Tensor, labels: Tensor, whole: int) -> Tensor:
    """Add the gradients of this process's share of a batch; return its part of the mean loss.

    The share may be computed in parts, the last of which may be smaller.
    """
    parts, smoothing = job.recipe.compute.accumulate, job.recipe.optim.label_smoothing
    losses = []
    with noise(job.model, job.recipe), recomputed(job.model, job.recipe):
        for some, their in zip(inputs.chunk(parts), labels.chunk(parts), strict=True):
            logits = job.forward(some)
            own = their.to(logits.device)
            if job.offset is not None:
                logits = logits + job.offset.to(logits.device)
            mean = job.objective.loss(logits, own, smoothing) + job.model.penalty(own)
            loss = mean * (len(own) / whole)
            loss.backward()
            losses.append(loss.detach())
    return torch.stack(losses).sum()


def _score(job: Job, progress: Progress, began: float) -> None:
    """Score the epoch that began then, and look at the model."""
    progress.val_accuracies.append(
        validation_score(job.objective, job.forward, job.validation, job.recipe.optim.batch_size)
    )
    progress.epoch_seconds.append(round(time.monotonic() - began, 3))
    _keep_best(progress, job.model)
    _observe(job, progress)


def _no_number(recipe: Recipe, loss: float, epoch: int, step: int) -> str:
    return (
        f"{recipe.task}, {recipe.method}: the training loss is {loss} in epoch {epoch + 1}, step "
        f"{step + 1}, expected a finite number; lower optim.lr (now {recipe.optim.lr:g}) or "
        f"optim.head_lr (now {recipe.optim.head_lr or recipe.optim.lr:g})"
    )


def _keep_best(progress: Progress, model: Classifier) -> None:
    if progress.val_accuracies[-1] >= max(progress.val_accuracies):
        progress.best = {k: v.detach().clone() for k, v in model.state_dict().items()}


def _observe(job: Job, progress: Progress) -> None:
    for observer in job.observers:
        name, found = observer()
        progress.observed.setdefault(name, []).append(found)
