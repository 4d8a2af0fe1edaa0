"""The store at the command line: one module per command."""

from typing import Final

from adapters.program import Command, Table

TABLE: Final = Table(
    title="the store",
    extra="core",
    commands={
        "ls": Command("list the tasks and their current versions", "adapters.cli.ls"),
        "show": Command("tell all about a task and its current version", "adapters.cli.show"),
        "verify": Command(
            "read and check everything in the store", "adapters.cli.verify", gives_way=True
        ),
        "diff": Command("compare two versions of a task", "adapters.cli.diff"),
        "log": Command("tell what changed, when, by whom and why", "adapters.cli.log"),
        "publish": Command(
            "make an artifact current, the canary or the shadow",
            "adapters.cli.moves.publish",
            gives_way=True,
        ),
        "promote": Command("make the canary or any version current", "adapters.cli.moves.promote"),
        "rollback": Command("go back to the version before", "adapters.cli.moves.rollback"),
        "canary": Command("end a canary", "adapters.cli.moves.canary"),
        "shadow": Command("end a shadow", "adapters.cli.moves.shadow"),
        "pin": Command("keep a version from being deleted", "adapters.cli.pin"),
        "rm": Command("delete a version at once", "adapters.cli.rm"),
        "gc": Command(
            "delete versions that stopped answering long ago", "adapters.cli.gc", gives_way=True
        ),
        "store": Command(
            "copy tasks to another store, history and all",
            "adapters.cli.store",
            gives_way=True,
        ),
        "keygen": Command("make a key that signs artifacts", "adapters.cli.signing.keygen"),
        "sign": Command(
            "add a signature to what is published, or to a file",
            "adapters.cli.signing.sign",
            gives_way=True,
        ),
    },
)
