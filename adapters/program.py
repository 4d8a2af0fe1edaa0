"""One way to write a command, for all packages: a table of names, and what happens around one.

A command is a module, imported only when it is chosen: `add_arguments(parser)` declares what
`run(args)` reads, and `run` returns the exit code. It may say in `STOPPED` what Ctrl-C means to it.

Exit codes: 0 done; 1 an error of ours, or the output cannot be written; 2 wrong usage; 130 Ctrl-C.
Knows no command, and imports nothing but the standard library and our errors.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from adapters.background import give_way
from adapters.errors import SptError
from adapters.shown import shown
from adapters.streams import OutputRefused, drop_output, prepare, reader_has_gone, refusal
from adapters.suggestions import did_you_mean

_OURS: Final = ("adapters", "trainer", "serving", "clients")


class UsageError(Exception):
    """What was typed makes no sense together; ends with the usage and exit code 2.

    Cause: Two options contradict each other, or one that is needed is missing.
    Cure: `spt COMMAND --help` has the options. The exit code is 2, and nothing was done.
    """


class Command(NamedTuple):
    """One line of a table.

    Attributes:
        summary: what the command does.
        module: its name.
        gives_way: whether every other process goes first, a service on the same cores above all.
    """

    summary: str
    module: str
    gives_way: bool = False


class Table(NamedTuple):
    """The commands of one package.

    Attributes:
        title: above them in the help.
        commands: name -> command, in the order of the help.
        extra: of our distribution, which has the packages that they need.
        errors: what they raise on purpose besides SptError and OSError, as `module:class`.
    """

    title: str
    commands: Mapping[str, Command]
    extra: str
    errors: tuple[str, ...] = ()


class Parser(argparse.ArgumentParser):
    """An argument parser whose help shows defaults, and that takes no empty word."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": _Defaults} | settings)
        self.register("type", None, _text)
        self.register("type", Path, lambda text: Path(_text(text)))


def _text(text: str) -> str:
    """Return what was typed; nothing at all is an empty variable, as a path the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("found nothing; is a variable empty?")
    return text


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Leaves out the defaults that say nothing: none, an empty list, a switch that is off.

    A text of several lines keeps them.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "\n".join(f"{indent}{line}" for line in text.splitlines())
        return super()._fill_text(text, width, indent)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_said = action.default not in (None, []) and action.default is not False
        return super()._get_help_string(action) if is_said else action.help


class Program(NamedTuple):
    """What one entry point offers.

    Attributes:
        prog: how a person calls it.
        description: one sentence.
        tables: its commands; no name is in two of them.
        options: declares what may also stand before the command.
        distribution: whose version `--version` prints; None for no such option.
    """

    prog: str
    description: str
    tables: Sequence[Table]
    options: Callable[[argparse.ArgumentParser], None] | None = None
    distribution: str | None = None

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run one command and return the exit code; wrong usage and help leave by SystemExit."""
        prepare()
        try:
            code = self._run(argv)
        except SystemExit:
            refused = refusal()
            if refused is None:
                raise
            return _refused(refused)
        except OSError as error:  # of a version that is printed: a command's own end in `_end`
            return _refused(error)
        refused = refusal()
        return code if refused is None else max(code, _refused(refused))

    def _run(self, argv: Sequence[str] | None) -> int:
        parser = self._parser()
        args = parser.parse_args(argv)
        name, words = args.command, args.words
        del args.command, args.words
        tables = {command: table for table in self.tables for command in table.commands}
        if name not in tables:
            parser.error(f"there is no command {name!r}{did_you_mean(name, tables)}")
        table = tables[name]
        return _end(_Chosen(f"{self.prog} {name}", table.commands[name], words, args), table)

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(
            prog=self.prog,
            usage="%(prog)s COMMAND …",
            description=self.description,
            epilog="\n\n".join(map(_listing, self.tables)),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if self.options is not None:
            self.options(parser)
        if self.distribution is not None:
            parser.add_argument("--version", action=_Version, const=self.distribution)
        parser.add_argument("command", metavar="COMMAND", help=argparse.SUPPRESS)
        words = parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
        words.required = False
        return parser


class _Version(argparse.Action):
    """Prints a version; the packages' metadata are read only for this."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, nargs=0, help="print the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 (slow to import)

        print(self.const, version(str(self.const)))
        parser.exit()


class _Chosen(NamedTuple):
    prog: str
    command: Command
    words: Sequence[str]
    before: argparse.Namespace

    def run(self) -> int:
        if self.command.gives_way:  # before the imports, which are most of a short command's work
            give_way()
        module = import_module(self.command.module)
        summary = self.command.summary
        parser = Parser(prog=self.prog, description=f"{summary[0].upper()}{summary[1:]}.")
        module.add_arguments(parser)
        try:
            code = module.run(parser.parse_args(self.words, self.before))
        except UsageError as error:
            parser.error(str(error))
        return int(code)


def _end(chosen: _Chosen, table: Table) -> int:
    """Run the command; whatever ends it becomes a line and an exit code."""
    try:
        return chosen.run()
    except KeyboardInterrupt:
        module = sys.modules.get(chosen.command.module)
        print(getattr(module, "STOPPED", "stopped"), file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OURS:
            raise
        return _fail(
            f"{chosen.prog} needs the package {error.name!r}, which is not installed: "
            f"pip install 'spt-serving[{table.extra}]'"
        )
    except Exception as error:
        refused = _refusal_behind(error)
        if refused is not None:
            return _refused(refused)
        if not isinstance(error, (SptError, OSError, *map(_named, table.errors))):
            raise
        return _fail(_told(error))


def _fail(message: str) -> int:
    print("error:", shown(" ".join(message.split())), file=sys.stderr)
    return 1


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _refusal_behind(error: Exception) -> OSError | None:
    """Return why the output cannot be written, if that is what ended a command."""
    if isinstance(error, OutputRefused):
        return error.reason
    if isinstance(error, BrokenPipeError) and reader_has_gone():
        return error
    return refusal() if isinstance(error, OSError) else None


def _refused(error: OSError) -> int:
    """Return the exit code of a command whose output cannot be written; a reader may go."""
    drop_output()
    if isinstance(error, BrokenPipeError):
        return 1
    return _fail(f"its output cannot be written: {error.strerror}; make room, or print elsewhere")


def _named(name: str) -> type[Exception]:
    module, _, kind = name.partition(":")
    found: type[Exception] = getattr(import_module(module), kind)
    return found


def _listing(table: Table) -> str:
    rows = [f"    {name:10}  {command.summary}" for name, command in table.commands.items()]
    return "\n".join([f"{table.title}:", *rows])
