"""Dashboard and alerts: read as Prometheus reads them, complete, and told of in the documents."""

import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from serving.launch.launch import Launch
from serving.metrics.table import METRICS
from serving.protocol import HTTP_STATUS
from tests.operations.expressions import (
    Expression,
    alerts,
    dashboard,
    panels,
    rules,
    scaling,
    series,
)
from tests.operations.tools import FILES

PAGE = Path(__file__).parents[4] / "docs" / "operations.md"
ALL = [*panels(), *alerts(), *scaling()]
EXPOSED = {
    f"{name}{suffix}": {*entry.labels, *(["le"] if suffix == "_bucket" else [])}
    for name, entry in METRICS.items()
    for suffix in (["_bucket", "_sum", "_count"] if entry.kind == "histogram" else [""])
}
"""Every series that the service tells of, and its labels."""


@pytest.mark.parametrize("expression", ALL, ids=lambda one: one.name)
def test_every_expression_is_promql_over_metrics_of_ours(expression: Expression) -> None:
    read = series(expression) - {("up", frozenset())}
    assert read or expression.name == "SptNotReady"
    assert {name for name, _ in read} - EXPOSED.keys() == set()
    assert [(name, labels) for name, labels in read if not labels <= EXPOSED[name]] == []


def test_an_expression_that_is_none_is_found() -> None:
    with pytest.raises(ValueError, match="a panel"):
        series(Expression("a panel", "sum by (code (rate(spt_rows_total[5m]))"))


def test_panels_have_a_title_and_a_meaning_and_do_not_cover_each_other() -> None:
    shown = dashboard()["panels"]
    assert len({panel["id"] for panel in shown}) == len(shown)
    assert all(panel["title"] for panel in shown)
    assert all(panel["description"] for panel in shown if panel["type"] != "row")
    for one, other in combinations([panel["gridPos"] for panel in shown], 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in shown)


def test_every_panel_asks_the_prometheus_that_is_chosen() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asked = [target for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    assert len(asked) == len(panels())
    assert all(target["datasource"] == chosen for target in asked)


def test_an_alert_says_how_bad_it_is_what_it_is_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["for"]


def test_the_page_has_the_cause_and_cure_of_every_alert_and_of_no_other() -> None:
    told = re.findall(r"^\| `(Spt\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert told == [rule["alert"] for rule in rules()]


def test_an_alert_names_panels_that_exist() -> None:
    titles = {panel["title"] for panel in dashboard()["panels"]}
    described = " ".join(rule["annotations"]["description"] for rule in rules())
    named = set(re.findall(r"panel '([^']+)'", described))
    assert named
    assert named <= titles


def test_faults_of_ours_are_the_codes_whose_status_says_so() -> None:
    ours = sorted(code for code, status in HTTP_STATUS.items() if status >= 500)
    chosen = f'code=~"{"|".join(ours)}"'
    assert sum(chosen in one.text for one in panels()) == 1
    assert [one.name for one in alerts() if chosen in one.text] == ["SptErrors"]


def test_what_is_scraped_is_the_service_that_the_alerts_know_at_its_usual_port() -> None:
    (job,) = yaml.safe_load((FILES / "prometheus" / "scrape.yaml").read_text())["scrape_configs"]
    assert job["job_name"] == "spt"
    port = Launch.model_fields["ports"].default[0]
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{port}"]}]
    assert any('up{job="spt"}' in one.text for one in alerts())


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for one in panels() for name, _ in series(one)}
    names = {name: shown & {name, f"{name}_bucket", f"{name}_sum"} for name in METRICS}
    assert [name for name, found in names.items() if not found] == []
