"""The results of a comparison as one JSON file per backbone, to be committed."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from adapters import durable
from trainer.reproduce.results import Key, Results, read_results
from trainer.reproduce.study import Study


def write_record(study: Study, out: Path, command: str) -> Iterator[Path]:
    """Write `<backbone>.json` for every backbone measured and yield its path.

    It holds `command`, `backbone`, `epochs`, `seeds`, `versions`, `device`, `date` (none: equal
    measurements give equal bytes) and `cells`, each as `Cell` describes it.
    """
    results = read_results(out)
    for backbone in results.backbones(study.arm_names):
        keys = [k for k in results.cells if k[0] == backbone and k[2] in study.arm_names]
        path = out / f"{backbone}.json"
        durable.write(path, json.dumps(_record(results, keys, command), indent=1).encode())
        yield path


def _record(results: Results, keys: list[Key], command: str) -> dict[str, Any]:
    cells = [results.cells[key] for key in keys]
    return {
        "command": command,
        "backbone": keys[0][0],
        "epochs": sorted({results.recipes[key]["optim"]["epochs"] for key in keys}),
        "seeds": sorted({len(cell.test_accuracies) for cell in cells}),
        "versions": {name: version(name) for name in ("torch", "timm")},
        "device": sorted({cell.device for cell in cells}),
        "date": None,
        "cells": [asdict(cell) for cell in cells],
    }
