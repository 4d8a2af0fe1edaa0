"""A plain graph in OpenVINO: all cores on one share of a batch, or one core for each share."""

from math import ceil
from pathlib import Path

import numpy as np
import openvino
import torch
from torch import Tensor

from tests.bench.plain.graph import INPUT

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OnOpenvino:
    """Called with pixels; threads may call it at the same time.

    Args:
        graph: an ONNX file; an int8 one computes what it leaves in float32 as `precision` says.
        precision: `float32` or `bfloat16`.
        streams: shares that are computed at the same time.
        rows: of one share at most, its thread on whichever core is free; None makes one share per
            stream, and leaves threads as OpenVINO likes them.
    """

    def __init__(
        self, graph: Path, precision: str, streams: int = 1, rows: int | None = None
    ) -> None:
        self._compiled = openvino.Core().compile_model(
            graph,
            "CPU",
            {
                "NUM_STREAMS": streams,
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "INFERENCE_PRECISION_HINT": _HINTS[precision],
                **({} if rows is None else {"ENABLE_CPU_PINNING": False}),
            },
        )
        self._streams = streams
        self._rows = rows
        self._idle: list[openvino.InferRequest] = []

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return one feature per row."""
        shares = np.array_split(pixels.numpy(), self._num_shares(len(pixels)))
        requests = [self._request() for _ in shares]
        for request, share in zip(requests, shares, strict=True):
            request.start_async({INPUT: share}, share_inputs=True)
        found = [self._found(request) for request in requests]
        self._idle += requests
        return torch.cat(found)

    def _num_shares(self, batch: int) -> int:
        return min(batch, self._streams if self._rows is None else ceil(batch / self._rows))

    def _request(self) -> openvino.InferRequest:
        try:
            return self._idle.pop()
        except IndexError:
            return self._compiled.create_infer_request()

    @staticmethod
    def _found(request: openvino.InferRequest) -> Tensor:
        request.wait()
        return torch.from_numpy(request.get_output_tensor().data.copy())


def openvino_settings(graph: Path, precision: str) -> dict[str, OnOpenvino]:
    """Return what a user would try: its hints for latency and for throughput."""
    cores = torch.get_num_threads()
    return {
        "1 stream": OnOpenvino(graph, precision),
        f"{cores} streams": OnOpenvino(graph, precision, cores),
        **{
            f"{cores} streams, {rows} rows at a time, not pinned": OnOpenvino(
                graph, precision, cores, rows
            )
            for rows in (2, 4)
        },
    }
