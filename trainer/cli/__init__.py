"""The trainer at the command line: one module per command, which imports its work when it runs."""

from typing import Final

from adapters.program import Command, Table

TABLE: Final = Table(
    title="train and measure",
    extra="train",
    commands={
        "train": Command("train one task, publish its adapter", "trainer.cli.train"),
        "fleet": Command("train many tasks of one file, publish each", "trainer.cli.fleet"),
        "sweep": Command(
            "find rates and weight decays by the validation split", "trainer.cli.sweep"
        ),
        "search": Command("search settings with Optuna, by the same split", "trainer.cli.search"),
        "import": Command("make an artifact of a linear head", "trainer.cli.import_head"),
        "data": Command("list, check, fetch or write the images of tasks", "trainer.cli.data"),
        "backbones": Command(
            "list the ViTs of timm that can carry prompts", "trainer.cli.backbones"
        ),
        "report": Command("write the report of finished runs", "trainer.cli.report"),
        "reproduce": Command(
            "measure a table or figure of the paper, show both", "trainer.cli.reproduce"
        ),
        "attention": Command(
            "draw where an adapter makes the backbone look", "trainer.cli.attention"
        ),
        "pretrain": Command("pre-train the embedded backbone", "trainer.cli.embedded.pretrain"),
        "probe": Command(
            "measure the embedded backbone by a linear probe", "trainer.cli.embedded.probe"
        ),
    },
)
