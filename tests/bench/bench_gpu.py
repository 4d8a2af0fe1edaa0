"""Everything that needs a GPU, in one call: tests, device time, pipelined throughput, the service.

Ours runs our own kernels: rows of many tasks and lengths, bare ones among them, from pixels to
best classes. The peer is timm's plain ViT, compiled.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

import torch

from adapters.vit.backbone import Backbone
from serving.rows.resident import Resident, make_resident
from serving.trunk.backend import Example, Steps
from serving.trunk.choose import torch_backend
from serving.trunk.transfer import Fetched, ahead, send
from tests.bench import peers
from tests.bench.device_time import IN_FLIGHT, device_in_turns, pipelined_seconds
from tests.bench.front_load import SIZE
from tests.bench.gpu_service import service_images_per_s, service_plan
from tests.bench.measure import Seconds, Spread, in_turns, speed_ratio
from tests.bench.models import BASE, NUM_CLASSES, in_precision, make_backbone, random_pixels
from tests.bench.result import Result, Settings
from tests.fakes.artifacts import make_adapter

OURS, PLAIN = "mixed", "plain compiled"
LENGTHS = (20, 0, 5, 50)
BATCHES = (8, 64)
RATIOS = (
    "device_mixed_over_compiled_plain",
    "device_mixed_over_compiled_plain_8_rows",
    "images_per_s",
    "fp8_images_per_s",
    "fp8_agreement",
    "service_over_engine",
)
NOTES = (
    f"{BASE}, bfloat16; every row another task, of {LENGTHS} deep prompts per block in turns",
    "device time: by CUDA events, pixels on the device; ours ends with best classes, the plain ViT "
    "with features",
    f"images_per_s: 8-bit crops on the host to answers on the host, {IN_FLIGHT} batches in flight",
    f"service_over_engine: {SIZE[0]}x{SIZE[1]} JPEG files over HTTP, the ASGI front with "
    "front_workers, over images_per_s",
    "fp8_images_per_s, fp8_agreement: null, no FP8 trunk is built",
)
SMALL = "test_vit"
"""Stands in for the model where a short run has no GPU."""


def run(settings: Settings) -> Result:
    """Run the tests on CUDA, then measure.

    Raises:
        SystemExit: there is no CUDA device for a long run, or a test fails on it.
    """
    on_cuda = torch.cuda.is_available()
    if not on_cuda and not settings.short:
        raise SystemExit("error: the benchmark gpu needs a CUDA device, and torch sees none here")
    result = Result("gpu", dict.fromkeys(RATIOS), notes=list(NOTES))
    engine = _on_cuda(result, settings) if on_cuda else _without_cuda(result)
    plan = service_plan(BASE if on_cuda else SMALL, short=settings.short, on_cuda=on_cuda)
    service = Spread.of(service_images_per_s(plan))
    result.rows.append({"candidate": "whole service", "images_per_s": service.median})
    result.add_ratio("service_over_engine", service.times(1 / engine))
    return result


def _on_cuda(result: Result, settings: Settings) -> float:
    """Run the tests, then measure the engine; return its images a second."""
    result.notes.append(_tests_on_cuda())
    backbone = in_precision(make_backbone(BASE), "bfloat16")
    # before ours, which turns cuDNN's attention off: the peer keeps it
    plain = peers.plain_compiled(backbone, BATCHES)
    residents = [_resident(backbone, number) for number in range(max(BATCHES))]
    backend = torch_backend(backbone, compiled=True, kernels=True, max_batch=max(BATCHES))
    assert backend.steps is not None
    backend.warm_up([Example(residents[0].form, max(LENGTHS))])
    for batch in BATCHES:
        ours = _ours(backbone, backend.steps, residents[:batch])
        pixels = random_pixels(backbone, batch).to(backbone.device, backbone.dtype)
        crops = _crops(backbone, batch).to(backbone.device)
        calls = {OURS: lambda c=crops, f=ours: f(c), PLAIN: lambda p=pixels: plain(p)}
        seconds = device_in_turns(calls, 3 if settings.short else 30)
        _add(result, batch, seconds)
    batches = 10 if settings.short else 300
    spread = Spread.of([_images_per_s(backbone, ours, batches) for _ in range(5)])
    result.add_ratio("images_per_s", spread)
    return spread.median


def _without_cuda(result: Result) -> float:
    """Return the images a second of a small mixed batch on the CPU."""
    result.notes.append(f"a short run without a GPU: {SMALL} on the CPU, the service alone")
    backbone = make_backbone(SMALL)
    residents = [_resident(backbone, number) for number in range(max(BATCHES))]
    pixels = random_pixels(backbone, len(residents))
    call = partial(peers.mixed(torch_backend(backbone), residents), pixels)
    seconds = in_turns({OURS: torch.inference_mode()(call)}, rounds=1, warm_up=1)
    return len(residents) / seconds[OURS][0]


def _tests_on_cuda() -> str:
    """Run them; return what pytest says of them."""
    command = [sys.executable, "-m", "pytest", "tests/unit/serving/trunk", "-q", "-k", "on_cuda"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stdout[-4000:] + done.stderr[-1000:]
        raise SystemExit(f"error: a test fails on CUDA:\n{told}")
    return f"tests on CUDA: {done.stdout.strip().splitlines()[-1]}"


def _resident(backbone: Backbone, number: int) -> Resident:
    prompts = LENGTHS[number % len(LENGTHS)]
    adapter = make_adapter(
        f"task-{number}",
        NUM_CLASSES,
        method="spt-deep" if prompts else "linear",
        prompts=prompts,
        seed=number,
        backbone=backbone.spec,
    )
    return make_resident(adapter, backbone)


def _ours(
    backbone: Backbone, steps: Steps, residents: Sequence[Resident]
) -> Callable[[torch.Tensor], Fetched]:
    form, rules = residents[0].form, [own.meta.preprocessing for own in residents]

    def forward(crops: torch.Tensor) -> Fetched:
        step = steps.run(form, crops, rules, [resident.addresses for resident in residents])
        return Fetched([step.scores, step.classes])

    return forward


def _add(result: Result, batch: int, seconds: Seconds) -> None:
    suffix = "" if batch == max(BATCHES) else f"_{batch}_rows"
    result.add_ratio(f"{RATIOS[0]}{suffix}", speed_ratio(seconds, OURS, PLAIN))
    for name, times in seconds.items():
        median = statistics.median(times)
        row = {"batch": batch, "candidate": name, "device_ms": median * 1e3}
        result.rows.append(row | {"images_per_s": batch / median, "rounds": len(times)})


def _images_per_s(
    backbone: Backbone, ours: Callable[[torch.Tensor], Fetched], batches: int
) -> float:
    crops = [_crops(backbone, max(BATCHES)).pin_memory() for _ in range(IN_FLIGHT)]

    def batch(number: int) -> Fetched:
        host, device = crops[number % IN_FLIGHT], backbone.device
        return ours(ahead(lambda: send(host, device), device))

    return max(BATCHES) / pipelined_seconds(batch, batches)


def _crops(backbone: Backbone, rows: int) -> torch.Tensor:
    size = backbone.spec.image_size
    return torch.randint(0, 256, (rows, size, size, 3), dtype=torch.uint8)
