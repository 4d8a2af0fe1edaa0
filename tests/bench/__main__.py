"""Benchmarks: `python -m tests.bench [NAME...] [--short]`, `BENCHMARKS` or those named.

Each prints a table, writes `<out>/<name>.json` with its conditions, draws
`<out>/<name>.svg` and shows all of it in `<out>/<name>.html`.
They measure and never assert.
"""

import argparse
import importlib
from pathlib import Path

from tests.bench.figure import draw, write_page
from tests.bench.result import Settings
from tests.bench.table import show

ON_REQUEST = ("gpu", "per-row")
"""One that only some machines can run, and one of ways that are not served."""

BENCHMARKS = (
    "engine",
    "tasks",
    "cold",
    "lookups",
    "http",
    "services",
    "decode",
    "training",
    "kmeans",
    "front",
    "image-tasks",
)


def main() -> None:
    """Run the named benchmarks one after the other."""
    args = _parser().parse_args()
    settings = Settings(args.out, args.short, args.weights, args.store, args.data)
    for name in args.names or BENCHMARKS:
        result = importlib.import_module(f"tests.bench.bench_{name.replace('-', '_')}").run(
            settings
        )
        show(result)
        saved = result.save(settings)
        print(f"wrote {saved}, {draw(saved)} and {write_page(saved)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, *ON_REQUEST, []], metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument(
        "--short", action="store_true", help="see that it runs; numbers mean little"
    )
    parser.add_argument("--weights", type=Path, help="checkpoint of vit_tiny_patch16_224")
    parser.add_argument("--store", type=Path, help="adapter store with tasks of that checkpoint")
    parser.add_argument("--data", type=Path, help="folder with those tasks' images")
    return parser


if __name__ == "__main__":
    main()
