"""`python -m tests.backbones [FAMILY …]`: every family of backbones, at full depth.

Trains, publishes and serves on one architecture of each, with random weights, and says how far
answers are from the token form in float64; minutes, and up to 10 GB of memory.
"""

import argparse
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.backbones.families import FAMILIES
from tests.backbones.trial import try_backbone

CLOSE = 2e-6
"""Largest difference of a score in float32."""

LEAST_EFFECT = 1e-4
"""Of prompts on a score: with less it would not matter what becomes of them."""


def main() -> int:
    """Try families in turn; 1 if an answer of one is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.backbones", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(FAMILIES)}")
    names = parser.parse_args().families or list(FAMILIES)
    if unknown := set(names).difference(FAMILIES):
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    return max(map(_tried, names))


def _tried(family: str) -> int:
    began_at = time.monotonic()
    with TemporaryDirectory(prefix="spt-") as folder:
        log = Path(folder) / "log"
        try:
            with (
                log.open("w", encoding="utf-8") as said,
                redirect_stdout(said),
                redirect_stderr(said),
            ):
                found = try_backbone(FAMILIES[family], Path(folder))
        except BaseException:
            print(log.read_text(encoding="utf-8"), file=sys.stderr)
            raise
    is_right = found.error < CLOSE and found.effect > LEAST_EFFECT
    print(
        f"{family:10} {FAMILIES[family].name:34} {'right' if is_right else 'WRONG'}: "
        f"{found.answers} scores, error {found.error:.1e}, prompts change {found.effect:.1e}; "
        f"{time.monotonic() - began_at:.0f} s",
        flush=True,
    )
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
