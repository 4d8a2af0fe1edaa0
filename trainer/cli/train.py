"""`python -m trainer train`: one task, one or several seeds, published when done."""

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.artifact.codec import short
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.store import durable
from adapters.store.directory import DirectoryStore
from adapters.store.former_version import compare_with_former
from trainer.errors import RecipeError
from trainer.experiment.folder import check_writable
from trainer.experiment.run import Result, run
from trainer.experiment.terminal import say, training_bar
from trainer.methods.table import DEFAULT_METHOD, METHODS
from trainer.recipe import Recipe
from trainer.recipe_file import load_recipe
from trainer.report.page import write_report
from trainer.training import distributed


def add_train_command(commands: Any) -> None:
    """Add `train` to the trainer's sub-commands."""
    train = commands.add_parser("train", help="train one task, publish its adapter")
    add_recipe_options(train)
    train.add_argument("--seed", type=int)
    train.add_argument(
        "--seeds", type=int, metavar="N", help="train seeds 0 to N-1; tell mean and deviation"
    )
    train.add_argument("--out", type=Path, help="run folder; default under runs/train")
    train.add_argument("--store", type=Path, default=Path("runs/store"))
    train.add_argument("--fresh", action="store_true", help="forget an earlier run in the folder")
    train.add_argument("--no-publish", action="store_true")
    train.set_defaults(act=_train)


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide a recipe and where its data are."""
    parser.add_argument("task")
    parser.add_argument("--data", type=Path, help="the task's folder; not for built-in tasks")
    parser.add_argument("--backbone", help=f"timm name of a plain ViT; default {EMBEDDED}")
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument(
        "--method", metavar="NAME", help=f"{', '.join(METHODS)}; default {DEFAULT_METHOD}"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")


def recipe_of(args: argparse.Namespace, **chosen: Any) -> Recipe:
    """Return the recipe that the options of `add_recipe_options` decide."""
    return load_recipe(
        args.task,
        args.set,
        backbone=args.backbone,
        weights=args.weights,
        method=args.method,
        **chosen,
    )


def folder_of(recipe: Recipe, out: Path | None) -> Path:
    """Return the run folder: the one asked for, or one named after task, backbone and method."""
    return out or Path("runs/train") / recipe.task / f"{recipe.backbone}-{recipe.method}"


def _train(args: argparse.Namespace) -> None:
    recipe = recipe_of(args, seed=args.seed)
    store = None if args.no_publish else _store(args.store)
    folder = folder_of(recipe, args.out)
    if args.seeds is not None:
        _train_seeds(args, recipe, folder)
        return
    with distributed.joined():
        result = _run(args, recipe, folder)
    if distributed.rank() == 0:
        _tell(recipe, result)
        if store is not None and result.artifact is not None:
            data = result.artifact.read_bytes()
            pointer = store.publish(data)
            warning = compare_with_former(store.store, data, pointer).warning(recipe.task)
            if warning:
                say(warning)
            say(f"published version {short(pointer.version)} in {args.store}")


def _train_seeds(args: argparse.Namespace, recipe: Recipe, folder: Path) -> None:
    """Train every seed in a folder of its own; publishes none, for none is the better one."""
    if args.seed is not None or args.seeds < 2:
        raise RecipeError(
            f"--seeds {args.seeds}: expected 2 or more, and no --seed beside it; "
            "for a single run give --seed alone"
        )
    accuracies = []
    for seed in range(args.seeds):
        one = recipe.model_copy(update={"seed": seed})
        result = _run(args, one, folder / f"seed-{seed}")
        _tell(one, result)
        accuracies.append(result.metrics["test_accuracy"])
    mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
    summary = {"test_accuracies": accuracies, "mean": mean, "deviation": deviation}
    durable.write(folder / "seeds.json", json.dumps(summary, indent=1).encode())
    say(f"{recipe.task}: test accuracy {mean:.4f} ± {deviation:.4f} ({args.seeds} seeds)")


def _run(args: argparse.Namespace, recipe: Recipe, folder: Path) -> Result:
    title = f"{recipe.task} {recipe.method} seed {recipe.seed}"
    with training_bar(title, recipe.optim.epochs) as watch:
        result = run(recipe, args.data, folder, watch, fresh=args.fresh, tell=say)
    if distributed.rank() == 0:
        write_report(folder)
    return result


def _tell(recipe: Recipe, result: Result) -> None:
    say(
        f"{recipe.task}: test accuracy {result.metrics['test_accuracy']:.4f}, validation "
        f"{result.metrics['val_accuracy']:.4f}, {result.metrics['train_seconds']:.0f} s of training"
    )
    if result.artifact is None:
        say(f"no artifact: {recipe.method} is {METHODS[recipe.method].serving}")
    else:
        say(f"artifact {result.artifact}, {result.artifact.stat().st_size:,} bytes")
    say(f"report {result.folder / 'report.html'}")


def _store(folder: Path) -> CachedStore:
    """Return where to publish; a wrong address is found before the training, not after it."""
    check_writable(folder)
    url = os.environ.get("REDIS_URL")
    try:
        return CachedStore(DirectoryStore(folder), AdapterCache.from_url(url) if url else None)
    except ValueError as error:
        raise RecipeError(f"REDIS_URL: {error}") from None
