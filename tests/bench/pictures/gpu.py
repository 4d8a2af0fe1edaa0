"""A mixed batch on a GPU over the compiled plain ViT, by device time."""

from tests.bench.pictures.record import Record, sentence, source
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing

_RATIOS = {
    "device_mixed_over_compiled_plain": "64 rows",
    "device_mixed_over_compiled_plain_8_rows": "8 rows",
}


def gpu(record: Record) -> Drawing:
    """Return the throughput of a mixed batch over that of the plain ViT, a row per size."""
    dots = {rows: _dot(name, record) for name, rows in _RATIOS.items()}
    ends = [end for dot in dots.values() for end in dot.ends]
    caption = Caption(
        f"On a GPU mixed batches have {record['ratios'][next(iter(_RATIOS))]:.2f} of the "
        "throughput of the compiled plain ViT",
        "throughput over the plain ViT's; more is better, whiskers are quartiles over rounds",
        [sentence(record["notes"][0]), source(record)],
    )
    rows = [Row(name, [[dot]]) for name, dot in dots.items()]
    scale = around([*ends, 1.0], floor=0.0)
    return draw_dots(DotChart(caption, rows, scale, base=(1.0, "the compiled plain ViT")))


def _dot(name: str, record: Record) -> Dot:
    value, spread = record["ratios"][name], record["spreads"][name]
    return Dot(value, (spread[0], spread[1]), text=f"{value:.2f}")
