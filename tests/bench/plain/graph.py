"""timm's bare trunk as an ONNX file: pixels in, features out, any number of rows."""

import logging
import warnings
from pathlib import Path

import torch

from adapters.vit.backbone import Backbone
from serving.onnx.export import OPSET
from tests.bench.models import random_pixels

INPUT, OUTPUT = "pixels", "features"


def export_plain(backbone: Backbone, path: Path) -> None:
    """Write the graph, its weights next to it.

    Args:
        backbone: float32, on the CPU.
        path: of the graph; its folder is there.
    """
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter deprecates parts of itself
        program = torch.onnx.export(
            backbone.trunk,
            (random_pixels(backbone, rows=2),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
            verbose=False,
        )
    assert program is not None, "the dynamo exporter returns a program"
    program.save(path, external_data=True)
