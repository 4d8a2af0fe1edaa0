"""`python -m trainer sweep`: every combination of learning rate and weight decays."""

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trainer.cli.train import add_recipe_options, folder_of, recipe_of
from trainer.experiment.folder import check_writable, files_explained
from trainer.experiment.found import found
from trainer.experiment.materials import prepare
from trainer.experiment.sweep import Grid, Trial, best_of, forget_sweep, sweep
from trainer.experiment.terminal import say, training_bar

console = Console()


def add_sweep_command(commands: Any) -> None:
    """Add `sweep` to the trainer's sub-commands."""
    command = commands.add_parser(
        "sweep",
        help="find lr and weight decays by the validation split; never touches the test set",
    )
    add_recipe_options(command)
    command.add_argument("--seed", type=int)
    for name in ("lr", "weight-decay", "head-weight-decay"):
        command.add_argument(f"--{name}", type=float, nargs="+", default=[], metavar="X")
    command.add_argument("--out", type=Path, help="folder; default under runs/train")
    command.add_argument("--fresh", action="store_true", help="forget an earlier sweep")
    command.set_defaults(act=_sweep)


def _sweep(args: argparse.Namespace) -> None:
    recipe = recipe_of(args, seed=args.seed)
    folder = folder_of(recipe, args.out) / "sweep"
    check_writable(folder)
    if args.fresh:
        forget_sweep(folder)
    folder.mkdir(parents=True, exist_ok=True)
    grid = Grid(args.lr, args.weight_decay, args.head_weight_decay)
    title = f"sweep {recipe.task} {recipe.method}"
    with files_explained(folder), training_bar(title, recipe.optim.epochs) as watch:
        materials = prepare(recipe, args.data)
        say(found(recipe, materials))
        trials = sweep(recipe, materials, grid, folder, watch)
    best = best_of(trials)
    console.print(_table(trials, best))
    chosen = " ".join(f"--set optim.{name}={value:g}" for name, value in best.settings.items())
    console.print(f"the best, as options of train: {chosen}", soft_wrap=True)


def _table(trials: list[Trial], best: Trial) -> Table:
    table = Table("lr", "weight decay", "head weight decay", "validation", "loss", "s")
    for trial in trials:
        values = [f"{value:g}" for value in trial.settings.values()]
        figures = f"{trial.val_accuracy:.4f}", f"{trial.train_loss:.4f}", f"{trial.seconds:.0f}"
        table.add_row(*values, *figures, style="bold" if trial is best else None)
    return table
