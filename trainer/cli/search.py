"""`spt search`: settings proposed by Optuna, scored on the validation split."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.program import UsageError
from adapters.streams import Stream, say
from trainer.cli.recipe_options import STOPPED, add_recipe_options, chosen

__all__ = ["STOPPED", "add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_recipe_options(parser)
    parser.add_argument(
        "--trials", type=int, default=20, metavar="N", help="in all, with those of earlier calls"
    )
    parser.add_argument(
        "--vary",
        action="append",
        metavar="KEY=RANGE",
        help="LOW:HIGH, LOW:HIGH:log or A,B,C, of a key of optim or prompt (default: rate and "
        "weight decays)",
    )
    parser.add_argument("--json", action="store_true", help="print the trials as JSON")


def run(args: argparse.Namespace) -> int:
    """Try settings, say which are the best, and leave them as a recipe.

    Raises:
        SptError: as `trainer.search.study.search`.
        UsageError: no trial is asked for.
    """
    if args.trials < 1:
        raise UsageError(f"--trials {args.trials}: expected 1 or more")
    from rich.console import Console

    from trainer.experiment.folder import check_writable, files_explained
    from trainer.experiment.found import found
    from trainer.experiment.materials import prepare
    from trainer.experiment.run import run_folder
    from trainer.experiment.terminal import training_bar
    from trainer.recipe_file import load_recipe
    from trainer.search.kept import BEST, forget_search
    from trainer.search.space import DEFAULT, read_space

    with _optuna_explained():
        from trainer.search.study import Search, best_of, search
        from trainer.search.table import points_table

    recipe = load_recipe(args.task, args.set, args.recipe, **chosen(args))
    space = args.vary or DEFAULT
    read_space(space, recipe)
    folder = (args.out or run_folder(recipe)) / "search"
    check_writable(folder)
    if args.fresh:
        forget_search(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stream: Stream = "stderr" if args.json else "stdout"
    title = f"search {recipe.task} {recipe.method}"
    with files_explained(folder), training_bar(title, recipe.optim.epochs, stream) as watch:
        materials = prepare(recipe, args.data)
        say(found(recipe, materials), stream)
        points = search(Search(recipe, space, args.trials, folder), materials, watch)
    best = best_of(points)
    if args.json:
        print(json.dumps([vars(one) | {"best": one is best} for one in points], indent=1))
        return 0
    Console().print(points_table(points, best))
    say(f"the best as a recipe: spt train {recipe.task} --recipe {folder / BEST}")
    return 0


@contextmanager
def _optuna_explained() -> Iterator[None]:
    """Say which extra has the package that a search alone needs.

    Raises:
        RecipeError: Optuna is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        from trainer.errors import RecipeError

        raise RecipeError(
            "a search needs the package optuna, which is not installed: "
            "pip install 'spt-serving[search]'"
        ) from error
