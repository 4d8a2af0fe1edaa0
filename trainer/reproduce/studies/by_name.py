"""Every study by the name that the command line takes; its module is imported when it is called."""

from importlib import import_module
from typing import Any, Final, NamedTuple


class NamedStudy(NamedTuple):
    """A study that can be listed without loading what it needs.

    Attributes:
        title: what is studied, in words; the study's own.
        factory: its function, as `module:function` in this folder.
    """

    title: str
    factory: str

    def __call__(self, asked: Any) -> Any:
        """Return the `Study` that the command line asks for, an `Asked`."""
        module, _, function = self.factory.partition(":")
        return getattr(import_module(f"trainer.reproduce.studies.{module}"), function)(asked)


STUDIES: Final[dict[str, NamedStudy]] = {
    "table1": NamedStudy("Time of constructing prompts", "table1:table1"),
    "table2": NamedStudy("Self-supervised backbones", "tables:table2"),
    "table3": NamedStudy("Parameter-efficient methods, supervised backbone", "tables:table3"),
    "table4": NamedStudy("Sampling strategies", "tables:table4"),
    "tableS2": NamedStudy("Tokens of one layer for all", "tables:table_s2"),
    "tableS3": NamedStudy("VTAB-1k, task by task", "tables:table_s3"),
    "tableS4": NamedStudy("Parameter-efficient methods on both benchmarks", "tables:table_s4"),
    "fig2": NamedStudy("Mutual information of prompts and patch tokens", "figure2:fig2"),
    "fig3a": NamedStudy("k-means of more data", "figures_3_4:fig3a"),
    "fig3b": NamedStudy("Prompts from another task", "figure3b:fig3b"),
    "fig3c": NamedStudy("Prompt length", "figures_3_4:fig3c"),
    "fig3d": NamedStudy("Model size", "figure3d:fig3d"),
    "fig4": NamedStudy("Amount of training data", "figures_3_4:fig4"),
    "figS3": NamedStudy("Amount of training data", "figures_3_4:fig_s3"),
    "figS4": NamedStudy("Alignment of prompts and patch tokens", "figure_s4:fig_s4"),
    "compare": NamedStudy("Starts of prompts compared", "compare:compare"),
}
