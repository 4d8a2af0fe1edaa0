"""What an image costs beside the model, part by part."""

from tests.bench.pictures.record import Record, sentence, source
from tests.bench.pictures.record import Row as Measured
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing

_PLACES = {"device": "crops on the device", "host": "crops in the front"}


def front(record: Record) -> Drawing:
    """Return processor milliseconds of each part: images cropped by the device, then by fronts."""
    rows = [Row(_name(row), [[_dot(row)]], row["crops_on"] == "host") for row in record["rows"]]
    ends = [end for row in record["rows"] for end in (row["low"], row["high"])]
    ratios = record["ratios"]
    caption = Caption(
        f"An image costs {ratios['cpu_ms_per_image']:.2f} ms beside the model, and the device "
        f"waits for {ratios['idle_share']:.0%} of the time",
        "processor milliseconds of a 500x375 JPEG file; whiskers are quartiles over rounds",
        [sentence(record["notes"][0]), source(record)],
    )
    return draw_dots(DotChart(caption, rows, around([*ends, 0.0])))


def _name(row: Measured) -> str:
    return f"{_PLACES[row['crops_on']]}: {row['part']}"


def _dot(row: Measured) -> Dot:
    kind = "ours" if row["crops_on"] == "device" else "reference"
    return Dot(row["cpu_ms"], (row["low"], row["high"]), kind, f"{row['cpu_ms']:.2f}")
