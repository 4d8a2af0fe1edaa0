"""The results of a comparison as one JSON file per backbone, to be committed."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapters.store import durable
from trainer.reproduce.results import Key, Results, read_results
from trainer.reproduce.study import Study
from trainer.reproduce.variant import Cell, edges_of


def write_record(study: Study, out: Path, command: str, *, is_new: bool) -> Iterator[Path]:
    """Write `<backbone>.json` for every backbone measured and yield its path.

    It holds `command`, `backbone`, `epochs`, `seeds`, `device`, `date` (none: equal measurements
    give equal bytes) and `cells`, each with its `recipe`, the `cell` as `Cell` describes it, and
    `best_at_edge`, see `edges_of`;
    `read_results` reads it again.

    Args:
        study: whose variants are recorded.
        out: the study's folder.
        command: what measures it.
        is_new: it was measured now; else a record that is there keeps its own command.
    """
    results = read_results(out)
    for backbone in results.backbones(study.variant_names):
        keys = [k for k in results.cells if k[0] == backbone and k[2] in study.variant_names]
        told = command if is_new else results.commands.get(backbone, command)
        path = out / f"{backbone}.json"
        durable.write(path, json.dumps(_record(results, keys, told), indent=1).encode())
        yield path


def _record(results: Results, keys: list[Key], command: str) -> dict[str, Any]:
    cells = [results.cells[key] for key in keys]
    recipes = [_portable(results.recipes[key]) for key in keys]
    return {
        "command": command,
        "backbone": keys[0][0],
        "epochs": sorted({recipe["optim"]["epochs"] for recipe in recipes}),
        "seeds": sorted({len(cell.test_accuracies) for cell in cells}),
        "device": sorted({cell.device for cell in cells}),
        "date": None,
        "cells": [
            {"recipe": recipe, "cell": _cell(cell), "best_at_edge": edges_of(cell)}
            for recipe, cell in zip(recipes, cells, strict=True)
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    """Return a cell; one of before does not say what was not known of it then."""
    return {name: value for name, value in asdict(cell).items() if value is not None}


def _portable(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe that names the checkpoint's file, and not where it lies."""
    weights = recipe.get("weights")
    return recipe | {"weights": None if weights is None else Path(weights).name}
