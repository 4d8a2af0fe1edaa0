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
    found: set[Series] = set()
    summed: list[set[str]] = []

    def enter(node: Any) -> None:
        if isinstance(node, promql_parser.AggregateExpr):
            summed.append(set(node.modifier.labels if node.modifier is not None else []))
        if isinstance(node, promql_parser.VectorSelector):
            chosen = {one.name for one in node.matchers.matchers}
            found.add((node.name, frozenset(chosen.union(*summed) - _GIVEN)))

    def leave(node: Any) -> None:
        if isinstance(node, promql_parser.AggregateExpr):
            summed.pop()

    try:
        tree = promql_parser.parse(expression.text)
    except ValueError as error:
        raise ValueError(f"{expression.name}: {error}") from error
    promql_parser.walk(tree, enter, leave)
    return found


def _chosen(text: str) -> str:
    return re.sub(r"\$(job|instance|task)", ".+", text).replace("$__rate_interval", "1m")
