"""Command line of the trainer: parse, one call, print."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from adapters.cache import AdapterCache
from adapters.cached_store import CachedStore
from adapters.codec import short
from adapters.errors import AdapterError
from adapters.spec import EMBEDDED
from adapters.store import DirectoryStore
from trainer.errors import RecipeError, TrainerError
from trainer.pretrain import PretrainRecipe, pretrain
from trainer.probe import probe
from trainer.recipe import load_recipe
from trainer.run import forget, run
from trainer.terminal import training_bar

console = Console()


def main() -> int:
    """Run one sub-command; 0 is success, 1 an error of ours in one line, 2 wrong usage."""
    args = _parser().parse_args()
    try:
        args.act(args)
    except (TrainerError, AdapterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
    return 0


def _train(args: argparse.Namespace) -> None:
    recipe = load_recipe(
        args.task,
        args.set,
        backbone=args.backbone,
        weights=args.weights,
        method=args.method,
        seed=args.seed,
    )
    store = None if args.no_publish else _store(args.store)
    folder = args.out or Path("runs/train") / recipe.task / f"{recipe.backbone}-{recipe.method}"
    if args.fresh:
        forget(folder)
    with training_bar(f"{recipe.task} {recipe.method}", recipe.optim.epochs) as watch:
        result = run(recipe, args.data, folder, watch)
    console.print(
        f"{recipe.task}: test accuracy {result.metrics['test_accuracy']:.4f}, validation "
        f"{result.metrics['val_accuracy']:.4f}, {result.metrics['train_seconds']:.0f} s of training"
    )
    console.print(f"artifact {result.artifact}, {result.artifact.stat().st_size:,} bytes")
    if store is not None:
        pointer = store.publish(result.artifact.read_bytes())
        console.print(f"published version {short(pointer.version)} in {args.store}")


def _store(folder: Path) -> CachedStore:
    """Return where to publish; a wrong address is found before the training, not after it."""
    url = os.environ.get("REDIS_URL")
    try:
        return CachedStore(DirectoryStore(folder), AdapterCache.from_url(url) if url else None)
    except ValueError as error:
        raise RecipeError(f"REDIS_URL {url!r}: {error}") from error


def _pretrain(args: argparse.Namespace) -> None:
    recipe = PretrainRecipe(epochs=args.epochs, seed=args.seed)
    console.print(f"weights {pretrain(recipe, args.data, args.out)}")


def _probe(args: argparse.Namespace) -> None:
    for weights in (args.weights, None):
        name = "untrained" if weights is None else str(weights)
        console.print(f"linear probe, {name}: {probe(weights, args.data):.4f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train one task, publish its adapter")
    train.add_argument("task")
    train.add_argument("--data", type=Path, help="the task's folder; not for built-in tasks")
    train.add_argument("--backbone", help=f"timm name of a plain ViT; default {EMBEDDED}")
    train.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    train.add_argument("--method", help="spt-deep (default), spt-shallow or linear")
    train.add_argument("--seed", type=int)
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    train.add_argument("--out", type=Path, help="run folder; default under runs/train")
    train.add_argument("--store", type=Path, default=Path("runs/store"))
    train.add_argument("--fresh", action="store_true", help="forget an earlier run in the folder")
    train.add_argument("--no-publish", action="store_true")
    train.set_defaults(act=_train)

    pre = commands.add_parser("pretrain", help="MAE pre-training of the embedded backbone")
    pre.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10")
    pre.add_argument("--out", type=Path, default=Path("runs/pretrain"))
    pre.add_argument("--epochs", type=int, default=PretrainRecipe().epochs)
    pre.add_argument("--seed", type=int, default=0)
    pre.set_defaults(act=_pretrain)

    linear = commands.add_parser("probe", help="CIFAR-10 linear probe of the embedded backbone")
    linear.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10")
    linear.add_argument("--weights", type=Path, required=True)
    linear.set_defaults(act=_probe)
    return parser


if __name__ == "__main__":
    sys.exit(main())
