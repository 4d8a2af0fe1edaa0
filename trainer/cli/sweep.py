"""`spt sweep`: every combination of learning rates and weight decays."""

import argparse
import json

from adapters.streams import Stream, say
from trainer.cli.recipe_options import STOPPED, add_recipe_options, chosen

__all__ = ["STOPPED", "add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = "The test set is never touched."
    add_recipe_options(parser)
    for name in ("lr", "head-lr", "weight-decay", "head-weight-decay"):
        parser.add_argument(
            f"--{name}",
            type=float,
            nargs="+",
            default=[],
            metavar="X",
            help="values to try (default: the recipe's)",
        )
    parser.add_argument("--json", action="store_true", help="print the trials as JSON")


def run(args: argparse.Namespace) -> int:
    """Train at every point of the grid, and say which is the best.

    Raises:
        SptError: as `trainer.experiment.sweep.sweep`.
    """
    from rich.console import Console

    from trainer.experiment.folder import check_writable, files_explained
    from trainer.experiment.found import found
    from trainer.experiment.materials import prepare
    from trainer.experiment.run import run_folder
    from trainer.experiment.sweep import Grid, best_of, forget_sweep, sweep
    from trainer.experiment.terminal import training_bar, trials_table
    from trainer.recipe_file import load_recipe

    recipe = load_recipe(args.task, args.set, args.recipe, **chosen(args))
    folder = (args.out or run_folder(recipe)) / "sweep"
    check_writable(folder)
    if args.fresh:
        forget_sweep(folder)
    folder.mkdir(parents=True, exist_ok=True)
    grid = Grid(args.lr, args.weight_decay, args.head_weight_decay, args.head_lr)
    title = f"sweep {recipe.task} {recipe.method}"
    stream: Stream = "stderr" if args.json else "stdout"
    with files_explained(folder), training_bar(title, recipe.optim.epochs, stream) as watch:
        materials = prepare(recipe, args.data)
        say(found(recipe, materials), stream)
        trials = sweep(recipe, materials, grid, folder, watch)
    best = best_of(trials)
    if args.json:
        print(json.dumps([vars(one) | {"best": one is best} for one in trials], indent=1))
        return 0
    Console().print(trials_table(trials, best))
    options = " ".join(f"--set optim.{name}={value:g}" for name, value in best.settings.items())
    say(f"the best, as options of train: {options}")
    return 0
