"""`spt sweep`: every combination of learning rates and weight decays."""

import argparse
import json
from typing import Final

from adapters.streams import Stream, say
from trainer.cli.recipe_options import STOPPED, add_recipe_options, chosen

__all__ = ["STOPPED", "add_arguments", "run"]

_NAMES: Final = ("lr", "head_lr", "weight_decay", "head_weight_decay")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = "The test set is never touched."
    add_recipe_options(parser)
    for name in _NAMES:
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=float,
            nargs="+",
            default=[],
            metavar="X",
            help="values to try (default: the recipe's)",
        )
    parser.add_argument(
        "--go-on",
        action="store_true",
        help="try values beyond these until the best has worse ones on both sides, 16 more at most",
    )
    parser.add_argument("--json", action="store_true", help="print the trials as JSON")


def run(args: argparse.Namespace) -> int:
    """Train at every point of the grid, and say which is the best.

    Raises:
        SptError: as `trainer.sweeping.sweep.sweep`.
    """
    from rich.console import Console

    from trainer.experiment.folder import check_writable, files_explained
    from trainer.experiment.found import found
    from trainer.experiment.materials import prepare
    from trainer.experiment.run import run_folder
    from trainer.experiment.terminal import training_bar
    from trainer.recipe_file import load_recipe
    from trainer.sweeping.grid import Grid, at_edge, best_of
    from trainer.sweeping.sweep import forget_sweep, sweep
    from trainer.sweeping.table import trials_table

    recipe = load_recipe(args.task, args.set, args.recipe, **chosen(args))
    folder = (args.out or run_folder(recipe)) / "sweep"
    check_writable(folder)
    if args.fresh:
        forget_sweep(folder)
    folder.mkdir(parents=True, exist_ok=True)
    values = {name: getattr(args, name) for name in _NAMES}
    varied = [name for name, tried in values.items() if len(tried) > 1]
    grid = Grid(**values, goes_on=varied if args.go_on else ())
    title = f"sweep {recipe.task} {recipe.method}"
    stream: Stream = "stderr" if args.json else "stdout"
    with files_explained(folder), training_bar(title, recipe.optim.epochs, stream) as watch:
        materials = prepare(recipe, args.data)
        say(found(recipe, materials), stream)
        trials = sweep(recipe, materials, grid, folder, watch)
    best = best_of(trials)
    edges = at_edge(best.settings, [trial.settings for trial in trials])
    if args.json:
        told = [
            vars(one) | {"best": one is best} | ({"best_at_edge": edges} if one is best else {})
            for one in trials
        ]
        print(json.dumps(told, indent=1))
        return 0
    Console().print(trials_table(trials, best))
    if edges:
        names = ", ".join(name.replace("_", " ") for name in edges)
        say(f"the best lies at the edge of what was tried: {names}; --go-on tries further values")
    options = " ".join(f"--set optim.{name}={value:g}" for name, value in best.settings.items())
    say(f"the best, as options of train: {options}")
    return 0
