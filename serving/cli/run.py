"""`spt run`: starts the service and stays with it, as systemd and Kubernetes expect."""

import argparse

from serving.cli.launching import add_launch_options, started
from serving.launch.supervise import sigterm_as_interrupt, supervise
from serving.service import care_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_launch_options(parser)


def run(args: argparse.Namespace) -> int:
    """Stay until the service has ended, or SIGTERM or Ctrl-C ends it.

    Raises:
        LaunchError: it did not start, or ended by itself.
    """
    with sigterm_as_interrupt(), started(args) as (running, launch):
        supervise(care_of(launch), running)
    print("stopped")
    return 0
