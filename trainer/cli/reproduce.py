"""`python -m trainer reproduce`: a table or figure of the paper, measured and shown."""

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.artifact.task import check_task_id
from trainer.errors import RecipeError
from trainer.reproduce.record import write_record
from trainer.reproduce.run_study import StudyOptions, measure_study, show_study
from trainer.reproduce.studies.by_name import STUDIES
from trainer.reproduce.study import Asked, Study


def add_reproduce_command(commands: Any) -> None:
    """Add `reproduce` to the trainer's sub-commands."""
    command = commands.add_parser(
        "reproduce", help="measure a table or figure of the paper and show both side by side"
    )
    command.add_argument("name", choices=list(STUDIES))
    command.add_argument("--tasks", nargs="+", metavar="TASK", help="default: the paper's")
    command.add_argument("--variants", nargs="+", metavar="VARIANT", help="measure only these")
    command.add_argument("--backbone", nargs="+", metavar="NAME", help="default: the paper's")
    command.add_argument(
        "--weights", nargs="+", default=[], metavar="NAME=PATH", help="checkpoint of a backbone"
    )
    command.add_argument(
        "--data", type=Path, help="holds a folder per task; not for built-in tasks"
    )
    command.add_argument("--seeds", type=_positive, default=3, metavar="N", help="default 3")
    command.add_argument("--epochs", type=_positive, metavar="N", help="default: the paper's 100")
    command.add_argument("--out", type=Path, help="default runs/reproduce/NAME")
    command.add_argument("--smoke", action="store_true", help="show that it works, in two minutes")
    command.add_argument(
        "--render-only", action="store_true", help="measure nothing, show what there is"
    )
    command.set_defaults(act=_reproduce)


def _reproduce(args: argparse.Namespace) -> None:
    study = study_of(args)
    suffix = "-smoke" if args.smoke else ""
    out = args.out or Path("runs/reproduce") / f"{study.runs or study.name}{suffix}"
    options = StudyOptions(
        out, args.data, _weights(args.weights), args.seeds, args.epochs, args.smoke
    )
    if not args.render_only:
        measure_study(_only(study, args.variants), options)
    command = _command(args)
    if not study.source:
        for path in write_record(study, out, command, is_new=not args.render_only):
            print(f"wrote {path}")
    page = show_study(study, out, command, is_smoke=args.smoke)
    print(f"wrote {page} and {page.with_suffix('.md')}")


def study_of(args: argparse.Namespace) -> Study:
    """Return the study that the options name.

    Raises:
        RecipeError: a task's id is none.
    """
    for task in args.tasks or ():
        try:
            check_task_id(task)
        except ValueError as error:
            raise RecipeError(f"--tasks: {error}") from error
    tasks, backbones = (tuple(names) if names else None for names in (args.tasks, args.backbone))
    asked = Asked(tasks=tasks, backbones=backbones, data=args.data, smoke=args.smoke)
    return STUDIES[args.name](asked)


def _only(study: Study, names: list[str] | None) -> Study:
    """Return the study with some of its variants alone."""
    if not names:
        return study
    unknown = sorted(set(names) - set(study.variant_names))
    if unknown:
        raise RecipeError(
            f"--variants {' '.join(unknown)}: {study.name} has no such variant; expected some of "
            f"{', '.join(study.variant_names)}"
        )
    return replace(
        study, variants=tuple(variant for variant in study.variants if variant.name in names)
    )


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
    if args.smoke:
        return " ".join([*words, "--smoke"])
    words += ["--seeds", str(args.seeds)]
    return " ".join(words + (["--epochs", str(args.epochs)] if args.epochs else []))
