"""Forwards on cores that others use too: `python -m tests.bench.beside --weights … --busy 2`.

Ours in torch and in OpenVINO against the plain trunk in both, 16 rows of 16 tasks, in turns.
Printed is the throughput of each over that of plain OpenVINO, by the clock and by processor time.
"""

import argparse
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import openvino
import torch

from adapters.vit.backbone import Backbone
from serving.onnx.export import export_trunk
from serving.openvino.backend import ROWS_OF_ONE_CORE, OpenVinoBackend
from serving.rows.resident import make_resident
from serving.trunk.allocator import disable_malloc_trim
from serving.trunk.choose import torch_backend
from serving.trunk.side_by_side import SideBySide
from tests.bench import peers
from tests.bench.measure import in_turns, speed_ratio
from tests.bench.models import TINY, make_backbone, random_adapter, random_pixels
from tests.bench.neighbours import busy_neighbours
from tests.bench.peers import Forward

ROWS = 16
PLAIN = "plain openvino"


def plain_openvino(backbone: Backbone) -> Forward:
    """The bare trunk in OpenVINO, a stream for each core, its rows in as many shares as ours."""
    cores = torch.get_num_threads()
    graph = openvino.convert_model(backbone.trunk, example_input=random_pixels(backbone, 2))
    options = {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores}
    model = openvino.Core().compile_model(graph, "CPU", options)
    side_by_side = SideBySide(most_rows=ROWS_OF_ONE_CORE)

    def share(pixels: torch.Tensor, _: None) -> torch.Tensor:
        found = model.create_infer_request().infer({0: pixels.numpy()}, share_inputs=True)
        return torch.from_numpy(found[0].copy())

    return lambda pixels: side_by_side.run(share, pixels, None)


def candidates(backbone: Backbone, folder: Path, *, compiled: bool) -> dict[str, Forward]:
    """Return ours and the plain trunk, each in torch and in OpenVINO."""
    export_trunk(backbone, folder)
    residents = [make_resident(random_adapter(backbone.spec, i), backbone) for i in range(ROWS)]
    found = {
        "mixed": peers.mixed(torch_backend(backbone), residents),
        "mixed openvino": peers.mixed(OpenVinoBackend(backbone, folder), residents),
        "plain": peers.plain(backbone),
        PLAIN: plain_openvino(backbone),
    }
    if compiled:
        found["plain compiled"] = peers.plain_compiled(backbone, [ROWS])
    return found


@torch.inference_mode()
def compare(forwards: Mapping[str, Forward], pixels: torch.Tensor, rounds: int) -> None:
    """Print, for each clock, every candidate's throughput over that of plain OpenVINO."""
    calls = {name: partial(forward, pixels) for name, forward in forwards.items()}
    for title, clock in (("clock", time.perf_counter), ("processor", time.process_time)):
        seconds = in_turns(calls, rounds, clock=clock, warm_up=1)
        for name in forwards:
            over = speed_ratio(seconds, name, PLAIN)
            said = f"{over.median:.2f} ({over.low:.2f} to {over.high:.2f})"
            print(f"{title:10} {name:16} {said}", flush=True)


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, help="of ViT-Ti/16; random ones without it")
    parser.add_argument("--busy", type=int, default=0, help="neighbours that spin")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--compiled", action="store_true", help="timm compiled, too")
    args = parser.parse_args()
    disable_malloc_trim()
    backbone = make_backbone(TINY, args.weights)
    with TemporaryDirectory() as folder:
        found = candidates(backbone, Path(folder) / "trunk", compiled=args.compiled)
        with busy_neighbours(args.busy):
            compare(found, random_pixels(backbone, ROWS), args.rounds)


if __name__ == "__main__":
    main()
