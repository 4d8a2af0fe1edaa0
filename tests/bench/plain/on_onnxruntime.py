"""A plain graph in ONNX Runtime: all cores on a batch, or one core for each share of it."""

from pathlib import Path

from torch import Tensor

from serving.onnx.session import open_session, run_session
from serving.trunk.side_by_side import SideBySide
from tests.bench.peers import Forward
from tests.bench.plain.graph import INPUT


def onnxruntime_settings(graph: Path) -> dict[str, Forward]:
    """Return what a user would try, float32."""
    return {"whole batches": _whole(graph), "2 rows at a time": _in_shares(graph, rows=2)}


def _whole(graph: Path) -> Forward:
    session = open_session(graph)
    return lambda pixels: run_session(session, {INPUT: pixels})


def _in_shares(graph: Path, rows: int) -> Forward:
    session, cores = open_session(graph, num_threads=1), SideBySide(most_rows=rows)

    def share(pixels: Tensor, _: object) -> Tensor:
        return run_session(session, {INPUT: pixels})

    return lambda pixels: cores.run(share, pixels, None)
