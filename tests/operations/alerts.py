"""The alerts: read by Prometheus' own tool, and fired by series of each one's fault."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.operations.tools import FILES, Wrong, prometheus, said

_RULES = FILES / "prometheus" / "alerts.yaml"
_CASES = Path(__file__).parent / "alerts.test.yaml"


def check() -> str:
    """Check the rules and the scrape configuration, and fire each alert.

    Raises:
        Wrong: promtool refuses something, or no case fires an alert.
    """
    promtool = prometheus("promtool")
    with TemporaryDirectory() as folder:
        for path in (_RULES, FILES / "prometheus" / "scrape.yaml", _CASES):
            shutil.copy(path, folder)
        said(promtool, "check", "config", Path(folder) / "scrape.yaml")
        said(promtool, "test", "rules", Path(folder) / _CASES.name)
    names, cases = names_of(), _CASES.read_text()
    if unfired := [name for name in names if f'alertname="{name}"' not in cases]:
        raise Wrong(f"no case fires {', '.join(unfired)}")
    return f"{len(names)} alerts, each fired by its fault alone"


def names_of() -> list[str]:
    """Return the names of all alerts."""
    groups = yaml.safe_load(_RULES.read_text())["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]
