"""The files that ship for TorchServe, as tests read them."""

from pathlib import Path
from typing import Any

import yaml

import serving
from serving.torchserve.configure import SHIPPED

PROJECT = Path(serving.__file__).parents[1]
MODEL = SHIPPED / "model_store" / "spt"


def properties(path: Path) -> dict[str, str]:
    """Return a .properties file, in which no key may stand twice."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    pairs = [line.split("=", 1) for line in lines]
    found = dict(pairs)
    assert len(found) == len(pairs)
    return found


def log_config(vmargs: str) -> str:
    (path,) = [a.split("=", 1)[1] for a in vmargs.split() if "log4j2.configurationFile" in a]
    return path


def yaml_of(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded
