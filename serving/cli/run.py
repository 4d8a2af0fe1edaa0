"""`spt run`: starts the service and stays with it, as systemd and Kubernetes expect."""

import argparse
from functools import partial

from serving.cli.launching import add_launch_options, started
from serving.torchserve.launch import start_again
from serving.torchserve.supervise import sigterm_as_interrupt, supervise
from serving.torchserve.workers.keepers import Keepers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_launch_options(parser)


def run(args: argparse.Namespace) -> int:
    """Stay until the service has ended, or SIGTERM or Ctrl-C ends it.

    Raises:
        LaunchError: it did not start, or ended by itself.
    """
    with sigterm_as_interrupt(), started(args) as (running, launch):
        supervise(args.folder, running, partial(start_again, launch), Keepers(launch).look)
    print("stopped")
    return 0
