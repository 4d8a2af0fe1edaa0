"""`spt backbones`: every tagged ViT of the installed timm, and whether it can carry prompts."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from adapters.streams import say

if TYPE_CHECKING:
    from adapters.vit.catalogue import Entry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """List them; nothing is downloaded."""
    import timm

    from adapters.vit.catalogue import catalogue

    entries = list(catalogue())
    if args.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=1))
        return 0
    for entry in entries:
        say(_line(entry))
    accepted = sum(entry.accepted for entry in entries)
    say(f"{accepted} of {len(entries)} checkpoints of timm {timm.__version__} are accepted")
    return 0


def _line(entry: "Entry") -> str:
    verdict = f"{entry.pooling}, norm {entry.final_norm}" if entry.accepted else entry.reason
    size = f"{entry.parameters / 1e6:7.1f} M {entry.image_size:4d} px"
    return f"{entry.name:60} {size}  {entry.licence or '-':16} {verdict}"
