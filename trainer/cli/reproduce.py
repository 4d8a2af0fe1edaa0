"""`spt reproduce`: a table or figure of the paper, measured and shown with its numbers."""

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.streams import say
from adapters.suggestions import one_of
from trainer.errors import RecipeError
from trainer.reproduce.studies.by_name import STUDIES

STOPPED: Final = "stopped; the same command goes on from the last finished epoch"
_LIST: Final = "ls"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    names = [_LIST, *STUDIES]
    parser.add_argument(
        "name", type=one_of(names, "study"), metavar="NAME", help=f"one of {', '.join(names)}"
    )
    parser.add_argument("--json", action="store_true", help="with ls: print JSON, for programs")
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: the paper's")
    parser.add_argument("--variants", nargs="+", metavar="VARIANT", help="measure only these")
    parser.add_argument("--backbone", nargs="+", metavar="NAME", help="default: the paper's")
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="NAME=PATH", help="checkpoint of a backbone"
    )
    parser.add_argument("--data", type=Path, help="holds a folder per task; not for built-in tasks")
    parser.add_argument("--seeds", type=_positive, default=3, metavar="N", help="0 to N-1")
    parser.add_argument("--epochs", type=_positive, metavar="N", help="default: the paper's 100")
    parser.add_argument(
        "--protocol", choices=("own", "published"), default="own",
        help="published: each method as its authors trained it, as far as that is had",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder (default: runs/reproduce/NAME)")
    parser.add_argument("--smoke", action="store_true", help="show that it works, in two minutes")
    parser.add_argument(
        "--render-only", action="store_true", help="measure nothing, show what there is"
    )


def run(args: argparse.Namespace) -> int:
    """List the studies, or measure one and show it.

    Raises:
        SptError: as `measure_study`; an option makes no sense.
    """
    if args.name == _LIST:
        _list(args)
        return 0
    from trainer.reproduce.record import write_record
    from trainer.reproduce.run_study import StudyOptions, measure_study, show_study
    from trainer.reproduce.study import Asked

    _check_tasks(args.tasks or ())
    tasks, backbones = (tuple(one) if one else None for one in (args.tasks, args.backbone))
    asked = Asked(tasks=tasks, backbones=backbones, data=args.data, smoke=args.smoke)
    study = STUDIES[args.name](asked)
    _check_protocol(study.source, args)
    suffix = ("-published" if args.protocol == "published" else "") + (
        "-smoke" if args.smoke else ""
    )
    out = args.out or Path("runs/reproduce") / f"{study.runs or study.name}{suffix}"
    options = StudyOptions(
        out, args.data, _weights(args.weights), args.seeds, args.epochs, args.smoke, args.protocol
    )
    if not args.render_only:
        measure_study(study.only(args.variants) if args.variants else study, options)
    command = _command(args)
    if not study.source:
        for path in write_record(study, out, command, is_new=not args.render_only):
            say(f"wrote {path}")
    page = show_study(study, out, command, is_smoke=args.smoke)
    say(f"wrote {page} and {page.with_suffix('.md')}")
    return 0


def _list(args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps([{"name": n, "title": one.title} for n, one in STUDIES.items()], indent=1))
        return
    for name, study in STUDIES.items():
        print(f"{name:8}  {study.title}")


def _check_protocol(source: str, args: argparse.Namespace) -> None:
    if args.protocol == "published" and not source:
        raise RecipeError(
            f"--protocol published: {args.name} is a comparison of our own, which nobody has "
            "published; expected a table or figure of the paper"
        )


def _check_tasks(tasks: Sequence[str]) -> None:
    from adapters.artifact.task import check_task_id

    for task in tasks:
        try:
            check_task_id(task)
        except ValueError as error:
            raise RecipeError(f"--tasks: {error}") from error


def _weights(pairs: list[str]) -> dict[str, Path]:
    found = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise RecipeError(
                f"--weights {pair}: expected NAME=PATH, such as "
                "vit_base_patch16_224.mae=mae_pretrain_vit_base.pth"
            )
        found[name] = Path(path)
    return found


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


def _command(args: argparse.Namespace) -> str:
    """Return what measures the same again; places of files are the reader's own."""
    words = ["python -m trainer reproduce", args.name]
    for option in ("tasks", "variants", "backbone"):
        values = getattr(args, option)
        words += [f"--{option}", *map(shlex.quote, values)] if values else []
    if args.weights:
        words += ["--weights", *(f"{pair.partition('=')[0]}=FILE" for pair in args.weights)]
    if args.data:
        words += ["--data", "DATA"]
    words += ["--protocol", args.protocol] if args.protocol != "own" else []
    if args.smoke:
        return " ".join([*words, "--smoke"])
    words += ["--seeds", str(args.seeds)]
    return " ".join(words + (["--epochs", str(args.epochs)] if args.epochs else []))
