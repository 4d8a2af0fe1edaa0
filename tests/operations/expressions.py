"""The expressions of dashboard, alerts and scaling, and the series that each one reads."""

import json
import re
from typing import Any, NamedTuple

import promql_parser
import yaml

from tests.operations.tools import FILES

Series = tuple[str, frozenset[str]]
"""A metric's name, and the labels by which it is chosen, summed or joined."""

_GIVEN = {"job", "instance", "namespace", "pod"}
"""Labels that Prometheus adds itself."""


class Expression(NamedTuple):
    """What is asked of Prometheus, and by whom: a panel's or an alert's name."""

    name: str
    text: str


def dashboard() -> dict[str, Any]:
    """Return Grafana's dashboard."""
    found: dict[str, Any] = json.loads((FILES / "grafana" / "dashboard.json").read_text())
    return found


def panels() -> list[Expression]:
    """Return what every panel asks, when all that can be chosen is."""
    return [
        Expression(panel["title"], _chosen(target["expr"]))
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    ]


def alerts() -> list[Expression]:
    """Return when every alert fires."""
    return [Expression(rule["alert"], rule["expr"]) for rule in rules()]


def rules() -> list[dict[str, Any]]:
    """Return every alert as its file has it."""
    groups = yaml.safe_load((FILES / "prometheus" / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def scaling() -> list[Expression]:
    """Return by what prometheus-adapter and keda have pods added."""
    adapter = yaml.safe_load((FILES / "prometheus" / "adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    asked = rule["metricsQuery"].replace("<<.GroupBy>>", "pod")
    asked = asked.replace("<<.LabelMatchers>>", 'pod=~".+"')
    names = (FILES / "helm" / "spt" / "templates" / "_names.tpl").read_text()
    (keda,) = re.findall(r"^sum\(.+", names, re.MULTILINE)
    keda = keda.replace("{{- $which -}}", 'phase="queue", namespace="vision", pod=~"pets-.+"')
    return [
        Expression("adapter.yaml, series", rule["seriesQuery"]),
        Expression("adapter.yaml", asked),
        Expression("keda", keda),
    ]


def series(expression: Expression) -> set[Series]:
    """Return what an expression reads, without the labels that Prometheus adds.

    Raises:
        ValueError: it is no PromQL.
    """
    found: list[tuple[str, set[str]]] = []
    grouped: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            labels = {one.name for one in node.matchers.matchers}
            found.append((node.name, labels - _GIVEN))
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            grouped.update(node.modifier.labels)

    try:
        tree = promql_parser.parse(expression.text)
    except ValueError as error:
        raise ValueError(f"{expression.name}: {error}") from error
    promql_parser.walk(tree, look)
    grouped -= _GIVEN
    return {(name, frozenset(labels | grouped)) for name, labels in found}


def _chosen(text: str) -> str:
    return re.sub(r"\$(job|instance|task)", ".+", text).replace("$__rate_interval", "1m")
