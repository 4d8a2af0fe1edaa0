"""`spt openapi`: what the ASGI front promises, for programs that make clients and pages of it."""

import argparse
import json

from serving.openapi.document import document


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Declare nothing."""


def run(_: argparse.Namespace) -> int:
    """Print the document."""
    print(json.dumps(document(), indent=2))
    return 0
