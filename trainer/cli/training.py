"""What `train` does, once everything that training needs may be loaded."""

import argparse
import json
import os
import statistics
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.codec import short, version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.publishing import open_store, publish
from adapters.store import durable
from adapters.store.objects.address import is_address
from adapters.streams import say
from adapters.trust.envelope import Envelope, sign
from adapters.trust.keys import load_private_key
from adapters.trust.statement import statement
from trainer.cli.recipe_options import chosen
from trainer.errors import RecipeError
from trainer.experiment.folder import check_writable
from trainer.experiment.run import Result, run, run_folder
from trainer.experiment.terminal import training_bar
from trainer.methods.table import METHODS
from trainer.objectives.choose import OBJECTIVES
from trainer.recipe import Recipe
from trainer.recipe_file import load_recipe
from trainer.report.page import write_report
from trainer.training import distributed


def train_task(args: argparse.Namespace) -> None:
    """Train one seed, and publish its adapter if asked to.

    Raises:
        RecipeError: the recipe or REDIS_URL makes no sense.
        SptError: as `run`, or the store cannot be written, or the key cannot be used.
    """
    recipe = load_recipe(args.task, args.set, args.recipe, **chosen(args))
    key = None if args.sign is None else load_private_key(args.sign)
    store = None if args.no_publish else opened_store(args.store)
    with distributed.joined():
        result = _train(args, recipe, args.out or run_folder(recipe))
    if distributed.rank() > 0:
        return
    _tell(recipe, result)
    if store is not None and result.artifact is not None:
        data = result.artifact.read_bytes()
        pointer, compared = publish(store, data, envelope=_signed(recipe.task, data, key))
        if warning := compared.warning(recipe.task):
            say(warning)
        say(f"published version {short(pointer.version)} in {args.store}")


def train_seeds(args: argparse.Namespace) -> None:
    """Train every seed in its folder; publish none, for none is the better one.

    Raises:
        RecipeError: the recipe, or the number of seeds, makes no sense.
        SptError: as `run`.
    """
    recipe = load_recipe(args.task, args.set, args.recipe, **chosen(args))
    if args.seed is not None or args.seeds < 2:
        raise RecipeError(
            f"--seeds {args.seeds}: expected 2 or more, and no --seed with it; "
            "for a single run give --seed alone"
        )
    folder, scores = args.out or run_folder(recipe), []
    objective = OBJECTIVES[recipe.target]
    for seed in range(args.seeds):
        one = recipe.model_copy(update={"seed": seed})
        result = _train(args, one, folder / f"seed-{seed}")
        _tell(one, result)
        scores.append(result.metrics[f"test_{objective.metric}"])
    mean, deviation = statistics.mean(scores), statistics.stdev(scores)
    found = "test_accuracies" if objective.counts_right else f"test_{objective.metric}"
    summary = {found: scores, "mean": mean, "deviation": deviation}
    durable.write(folder / "seeds.json", json.dumps(summary, indent=1).encode())
    say(f"{recipe.task}: test {objective.title} {mean:.4f} ± {deviation:.4f} ({args.seeds} seeds)")


def opened_store(folder: Path) -> CachedStore:
    """Return where to publish; a wrong address is found before the training, not after it.

    Raises:
        OutputError: the folder cannot be written.
        RecipeError: REDIS_URL makes no sense.
    """
    if not is_address(folder):
        check_writable(folder)
    try:
        return open_store(folder, os.environ.get("REDIS_URL"))
    except ValueError as error:
        raise RecipeError(f"REDIS_URL: {error}") from None


def _signed(task: str, data: bytes, key: Ed25519PrivateKey | None) -> Envelope | None:
    return None if key is None else sign(statement(task, version_of(data)), key)


def _train(args: argparse.Namespace, recipe: Recipe, folder: Path) -> Result:
    title = f"{recipe.task} {recipe.method} seed {recipe.seed}"
    with training_bar(title, recipe.optim.epochs) as watch:
        result = run(recipe, args.data, folder, watch, fresh=args.fresh, tell=say)
    if distributed.rank() == 0:
        write_report(folder)
    return result


def _tell(recipe: Recipe, result: Result) -> None:
    objective, metrics = OBJECTIVES[recipe.target], result.metrics
    test, validation = (metrics[f"{split}_{objective.metric}"] for split in ("test", "val"))
    say(
        f"{recipe.task}: test {objective.title} {test:.4f}, validation {validation:.4f}, "
        f"{metrics['train_seconds']:.0f} s of training"
    )
    if result.artifact is None:
        say(f"no artifact: {recipe.method} is {METHODS[recipe.method].serving}")
    else:
        say(f"artifact {result.artifact}, {result.artifact.stat().st_size:,} bytes")
    say(f"report {result.folder / 'report.html'}")
