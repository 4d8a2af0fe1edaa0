"""What more tasks about one image cost."""

from tests.bench.pictures.record import Record, sentence, source
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing


def image_tasks(record: Record) -> Drawing:
    """Return the time of each number and kind of tasks over that of one linear task."""
    rows = [
        Row(
            f"{row['tasks']} {row['kind']}",
            [[Dot(row["over_one"], (row["low"], row["high"]), "ours", _told(row["trunk_rows"]))]],
        )
        for row in record["rows"]
    ]
    ends = [end for row in record["rows"] for end in (row["low"], row["high"])]
    times = record["ratios"]["time_of_16_linear_over_1"]
    caption = Caption(
        f"Sixteen linear tasks about one image take {times:.2f} times as long as one",
        "time over that of one linear task; less is better, whiskers are quartiles over rounds",
        [sentence(record["notes"][0]), source(record)],
    )
    return draw_dots(DotChart(caption, rows, around([*ends, 1.0], floor=0.0), base=(1.0, "one")))


def _told(rows: int) -> str:
    return f"{rows} row{'s' if rows > 1 else ''} of the trunk"
