"""`python -m serving link`: Java and Redis on the PATH of an environment.

So plain `torchserve --start` and `redis-server` work where the environment is activated.
"""

import argparse
from pathlib import Path

from adapters.redis.server import find_server
from adapters.streams import say
from serving.java.home import java_home


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("bin", type=Path, help="the environment's folder of programs")


def run(args: argparse.Namespace) -> int:
    """Link what is not there yet."""
    programs = {"java": java_home() / "bin" / "java", "redis-server": find_server()}
    for name, program in programs.items():
        link = args.bin / name
        if program is not None and not link.exists():
            link.symlink_to(program.resolve())
            say(f"{link} -> {program}")
    return 0
