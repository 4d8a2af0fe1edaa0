"""`python -m tests.documents.reference`: the names for programs, as pages made of docstrings."""

import sys
from pathlib import Path
from typing import Final

import pdoc
from pdoc import render

import clients
from tests.documents.errors import ROOT

PUBLIC: Final = (
    "clients",
    "clients.asking.batch",
    "clients.wire",
    "serving.protocol",
    "serving.config",
    "serving.launch.launch",
    "serving.service",
    "serving.errors",
    "serving.inference.engine",
    "adapters.errors",
    "adapters.artifact.meta",
    "adapters.artifact.codec",
    "adapters.store.directory",
    "adapters.cache.cached_store",
    "adapters.vit.adapter",
    "adapters.vit.backbone",
    "trainer.errors",
    "trainer.recipe",
    "trainer.recipe_file",
    "trainer.experiment.run",
)
"""Modules whose names a program may use: they ask, publish, train and serve."""

FOLDER: Final = ROOT / "runs" / "reference"


def write(folder: Path) -> Path:
    """Write the reference to a folder; return its first page."""
    for name in clients.__all__:  # which are imported when they are first used
        vars(clients)[name] = getattr(clients, name)
    render.configure(docformat="google", search=True, show_source=False)
    pdoc.pdoc(*PUBLIC, output_directory=folder)
    return folder / "index.html"


def main() -> None:
    """Write the reference, and say where it is."""
    print(write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))


if __name__ == "__main__":
    main()
