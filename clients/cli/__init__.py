"""People who ask the service, at the command line: one module per command."""

from typing import Final

from adapters.program import Command, Table

TABLE: Final = Table(
    title="ask a service",
    extra="train,serve",
    errors=("clients.errors:ClientError", "clients.demo.errors:DemoError"),
    commands={
        "predict": Command("classify images with one or more tasks", "clients.cli.predict"),
        "tasks": Command("list the tasks that a service answers for", "clients.cli.tasks"),
        "bench": Command("put a running service under load and measure it", "clients.cli.bench"),
        "playground": Command("open a page that asks a service", "clients.cli.playground"),
        "demo": Command("train, publish, serve and ask a few small tasks", "clients.cli.demo"),
    },
)
