"""The options that decide a recipe and where its data are; those who train share them."""

import argparse
from pathlib import Path
from typing import Any, Final

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.artifact.task import TARGET_KINDS
from trainer.methods.table import DEFAULT_METHOD, METHODS

STOPPED: Final = "stopped; the same command goes on from the last finished epoch"


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `chosen` reads, and the data."""
    parser.add_argument("task", help="its id; 'data ls' lists those that we know")
    parser.add_argument(
        "--data", type=Path, help="the task's folder, list or shards; not for built-in tasks"
    )
    parser.add_argument(
        "--backbone",
        help=f"timm name of a ViT, see `spt backbones` (default: the recipe's, else {EMBEDDED})",
    )
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="side of its input (default: its own)"
    )
    parser.add_argument(
        "--method",
        metavar="NAME",
        help=f"{', '.join(METHODS)} (default: the recipe's, else {DEFAULT_METHOD})",
    )
    parser.add_argument(
        "--target",
        choices=TARGET_KINDS,
        help="what is learned of an image (default: the recipe's, else single-label); "
        "multi-label: names in a label are separated by data.label_separator (default: '|'); "
        "ordinal: classes that are no numbers need data.class_order (default: none); "
        "data.class_groups is a CSV of class and group, whose scores are answered (default: none)",
    )
    parser.add_argument("--seed", type=int, help="of the training (default: the recipe's, else 0)")
    parser.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="a whole recipe in place of the task's table: JSON, as a run's recipe.json, or TOML",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one of the settings below, such as optim.epochs=20",
    )
    parser.add_argument(
        "--out", type=Path, help="folder (default: runs/train/TASK/BACKBONE-METHOD)"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run left")
    _list_settings(parser)


def _list_settings(parser: argparse.ArgumentParser) -> None:
    title = "settings of --set, with their defaults unless method or task have others"
    try:
        from trainer.recipe_keys import settings_listing
    except ModuleNotFoundError:  # the help of a command works before its extra is installed
        parser.add_argument_group(title, "they are listed once spt-serving[train] is installed")
    else:
        parser.add_argument_group(title, settings_listing())


def chosen(args: argparse.Namespace) -> dict[str, Any]:
    """Return the recipe's fields that the options name; None leaves a field as it is."""
    return {
        name: getattr(args, name)
        for name in ("backbone", "weights", "image_size", "method", "target", "seed")
    }
