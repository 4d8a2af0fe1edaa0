"""`spt serve`, or `python -m serving start`: leaves a service that needs nobody."""

import argparse
from shlex import quote

from adapters.streams import say
from serving.cli.launching import add_launch_options, started
from serving.launch.supervise import leave_supervisor, sigterm_as_interrupt
from serving.service import care_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_launch_options(parser)


def run(args: argparse.Namespace) -> int:
    """Start the service, leave somebody who starts it again if it ends, and say how to stop it.

    Raises:
        LaunchError: it did not start.
    """
    with sigterm_as_interrupt(), started(args) as (running, launch):
        leave_supervisor(care_of(launch), running)
        say(f"stop with: python -m serving --folder {quote(str(args.folder))} stop, or make stop")
    return 0
