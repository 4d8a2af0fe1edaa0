"""The text that a service shows at `/metrics`, read again."""

from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

_OURS = "spt_"


class Sample(NamedTuple):
    """One line.

    Attributes:
        name: of the series, with what a counter or a bucket has after that of the metric.
        labels: their values by name.
        value: as it was told.
    """

    name: str
    labels: Mapping[str, str]
    value: float


def read_told(text: bytes) -> list[Sample]:
    """Return what a service has told.

    Raises:
        ValueError: it is no text of metrics, or that of something else.
    """
    try:
        families = list(text_string_to_metric_families(text.decode()))
    except (KeyError, IndexError) as error:  # of the library's, for text that is none
        raise ValueError(f"no metrics: {text[:80]!r}") from error
    if not any(family.name.startswith(_OURS) for family in families):
        raise ValueError(f"no metric begins with {_OURS}")
    return [
        Sample(one.name, one.labels, one.value) for family in families for one in family.samples
    ]
