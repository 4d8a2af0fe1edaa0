"""One forward of many tasks against the bare trunk and the other ways, on one scale."""

import math
from statistics import fmean

from tests.bench.pictures.record import Record, by, model_name, sentence, source
from tests.bench.pictures.record import Row as Measured
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import Scale
from trainer.page.svg import Drawing

_OURS = {
    "mixed": "mixed batch",
    "mixed compiled": "mixed batch, compiled",
    "openvino": "mixed batch, OpenVINO",
    "onnx": "mixed batch, ONNX",
    "onnx int8 and doubts": "mixed batch, ONNX int8, doubts redone",
    "onnx int8": "mixed batch, ONNX int8, doubts left",
    "openvino int8 and doubts": "mixed batch, OpenVINO int8, doubts redone",
    "openvino int8": "mixed batch, OpenVINO int8, doubts left",
}
_RIVALS = {
    "plain": "plain ViT",
    "plain compiled": "plain ViT, compiled",
    "plain openvino": "plain ViT, OpenVINO",
    "plain onnx": "plain ViT, ONNX Runtime",
    "plain openvino int8": "plain ViT, OpenVINO int8, doubts left",
    "plain openvino int8 and doubts": "plain ViT, OpenVINO int8, doubts redone",
    "token form": "prompts as tokens",
    "one forward per task": "one forward per task",
    "separate models": "one model per task",
}


def engine(record: Record) -> Drawing:
    """Return throughput over the plain trunk's: a row per way, a column per model and precision."""
    batch, model = batch_of_ratios(record), _idle(record)[-1]["model"]
    rows = [row for row in _idle(record) if (row["batch"], row["model"]) == (batch, model)]
    columns = dict(reversed(by(rows, "precision").items()))
    found = {
        name: [_cell(cell, name) for cell in columns.values()]
        for name in [*_OURS, *_RIVALS]
        if any(row["candidate"] == name for row in rows)
    }
    ends = [end for cells in found.values() for cell in cells for dot in cell for end in dot.ends]
    caption = Caption(
        _title(record, batch),
        f"throughput over the plain {model_name(model)}'s, batches of {batch}; "
        "whiskers are quartiles over rounds",
        [
            sentence(f"{record['notes'][0]}; {record['notes'][2]}"),
            *_other_models(record, batch, model),
            source(record),
        ],
    )
    chart = DotChart(
        caption,
        [Row(_name(name), cells, name in _RIVALS) for name, cells in _in_order(found)],
        Scale(min(ends) * 0.97, max(ends) * 1.03, is_log=True),
        [precision for (precision,) in columns],
        (1.0, ""),
    )
    return draw_dots(chart)


def batch_of_ratios(record: Record) -> int:
    """Return the batch size whose row is the record's ratio of mixed over plain."""
    ratio = record["ratios"]["mixed_over_plain"]
    rows = [row for row in _idle(record) if row["candidate"] == "mixed"]
    return min(rows, key=lambda row: (abs(row["over_plain"] - ratio), -row["batch"]))["batch"]


def _idle(record: Record) -> list[Measured]:
    """Return times of single batches on an idle machine, the only ones that older records have."""
    return [
        row
        for row in record["rows"]
        if row.get("figure", "device time") == "device time" and not row.get("busy_neighbours")
    ]


def _title(record: Record, batch: int) -> str:
    ratios = record["ratios"]
    mixed, compiled = ratios["mixed_over_plain"], ratios["compiled_over_plain"]
    model = model_name(_idle(record)[-1]["model"])
    less = "less" if mixed > 1 else "more"
    also = "" if compiled is None else f", {compiled:.2f} compiled"
    return (
        f"{batch} tasks in one batch cost {less} than one plain {model}: "
        f"{mixed:.2f} of its throughput{also}"
    )


def _other_models(record: Record, batch: int, model: str) -> list[str]:
    """Say what a mixed batch costs on models that are not drawn."""
    rows = [
        row
        for row in _idle(record)
        if row["candidate"] == "mixed" and row["batch"] == batch and row["model"] != model
    ]
    return [
        f"{model_name(name)}: mixed batch {', '.join(map(_told, of_model))}."
        for (name,), of_model in by(rows, "model").items()
    ]


def _told(row: Measured) -> str:
    return f"{row['over_plain']:.2f} in {row['precision']}"


def _cell(rows: list[Measured], candidate: str) -> list[Dot]:
    return [
        Dot(
            row["over_plain"],
            (row["low"], row["high"]),
            "ours" if candidate in _OURS else "reference",
            f"{row['over_plain']:.2f}",
            f"{row['images_per_s']:,.1f} images a second",
        )
        for row in rows
        if row["candidate"] == candidate
    ]


def _name(candidate: str) -> str:
    return (_OURS | _RIVALS)[candidate]


def _in_order(found: dict[str, list[list[Dot]]]) -> list[tuple[str, list[list[Dot]]]]:
    """Return ours before the rivals, the fastest first."""

    def place(item: tuple[str, list[list[Dot]]]) -> tuple[bool, float]:
        speeds = [math.log(dot.value) for cell in item[1] for dot in cell]
        return item[0] in _RIVALS, -fmean(speeds)

    return sorted(found.items(), key=place)
