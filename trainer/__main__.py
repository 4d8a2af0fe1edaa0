"""Command line of the trainer: parse, one call, print."""

import argparse
import sys

from adapters.artifact.shown import shown
from adapters.errors import SptError
from trainer.cli.attention import add_attention_command
from trainer.cli.data import add_data_commands
from trainer.cli.pretrain import add_pretrain_commands
from trainer.cli.report import add_report_command
from trainer.cli.reproduce import add_reproduce_command
from trainer.cli.sweep import add_sweep_command
from trainer.cli.train import add_train_command


def main() -> int:
    """Run one sub-command; 0 is success, 1 an error of ours in one line, 2 wrong usage."""
    args = _parser().parse_args()
    try:
        args.act(args)
    except SptError as error:
        print(f"error: {shown(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_train_command(commands)
    add_sweep_command(commands)
    add_data_commands(commands)
    add_report_command(commands)
    add_reproduce_command(commands)
    add_attention_command(commands)
    add_pretrain_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
