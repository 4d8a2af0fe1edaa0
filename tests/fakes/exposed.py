"""What a service tells Prometheus, as Prometheus reads it."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from serving.launch.loopback import ask

Told = Mapping[str, float]
"""Values by series, such as `spt_rows_total{code="ok"}`; labels by name."""


def told_in(text: bytes) -> dict[str, float]:
    """Return every series with its value; a series that is there twice is a fault."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            series = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert series not in found
            found[series] = sample.value
    return found


def told_at(url: str) -> dict[str, float]:
    """Return the same of what is shown at an address, to anybody."""
    return told_in(ask(f"{url}/metrics", {}, 60.0))


def names_in(text: bytes) -> set[str]:
    """Return the names of all metrics."""
    families = text_string_to_metric_families(text.decode())
    return {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
