"""Run the kernels in Triton's interpreter; print how far they are from float64, as JSON.

With TRITON_INTERPRET=1 and no GPU. Products in bfloat16 are wrong in the interpreter.
"""

import json
from types import SimpleNamespace

import torch
import torch.nn.functional as F

from adapters.vit.pixels import normalise_batch
from serving.forward.heads import margins
from serving.rounding import backend as rounding
from serving.rounding.backend import Fp8Backend
from serving.trunk.cuda import backend as cuda_backend
from serving.trunk.cuda import recording
from serving.trunk.cuda.attention import prefix_attention
from serving.trunk.cuda.backend import CudaBackend
from serving.trunk.cuda.forward import features_by_address
from serving.trunk.cuda.heads import best_by_address
from tests.fakes.rows import some_rows
from tests.fakes.tiny import tiny_backbone
from tests.unit.serving.trunk.cuda.answers import compared, wide_trunk

LENGTHS = (5, 0, 40, 70, 20)
CLASSES = (3, 1, 1300, 0, 7)
TEMPERATURES = (1.0, 2.0, 0.4, 1.0, 3.0)
DEPTH = 2


@torch.inference_mode()
def main() -> None:
    torch.manual_seed(0)
    print(json.dumps({"attention": attention(), "heads": heads(), "steps": steps(), "fp8": fp8()}))


def attention():
    """Return the largest difference of an output, by type, head width and queries."""
    found = {}
    for kind, dim in ((torch.float32, 64), (torch.float16, 32)):
        for queries in (1, 21):
            name = f"{kind} {dim} {queries}".removeprefix("torch.")
            found[name] = max(attention_error(kind, dim, queries, i) for i in range(DEPTH))
    return found


def attention_error(kind, dim, queries, layer):
    heads, tokens = 2, 37
    qkv = torch.randn(len(LENGTHS), tokens, 3 * heads * dim, dtype=kind)
    prefixes = [torch.randn(DEPTH, n, 2, heads, dim, dtype=kind) for n in LENGTHS]
    made = prefix_attention(qkv, addresses(prefixes), torch.tensor(LENGTHS), layer, heads, queries)
    return max(
        float((mixed.double() - expected(own, prefix[layer], heads)[:queries]).abs().max())
        for mixed, own, prefix in zip(made, qkv, prefixes, strict=True)
    )


def expected(qkv, prefix, heads):
    """Return one row's outputs by torch's attention in float64."""
    queries, *own = qkv.double().unflatten(-1, (3, heads, -1)).unbind(1)
    keys, values = (torch.cat([prefix[:, i].double(), own[i]]).transpose(0, 1) for i in (0, 1))
    mixed = F.scaled_dot_product_attention(queries.transpose(0, 1), keys, values)
    return mixed.transpose(0, 1).flatten(1)


def heads():
    """Return what is wrong with the best classes of rows of many sizes, one of which is no number.

    The first two classes of the last row are equal, so the first of them must come first.
    """
    top_k, width = 8, 48
    features = torch.randn(len(CLASSES) + 1, width)
    weights, biases = [torch.randn(n, width) for n in CLASSES], [torch.randn(n) for n in CLASSES]
    weights[-1][1], biases[-1][1] = weights[-1][0], biases[-1][0]
    features[-1] = torch.nan
    args = addresses([*weights, weights[0]]), addresses([*biases, biases[0]])
    sizes = torch.tensor([*CLASSES, CLASSES[0]])
    bits = torch.tensor([*TEMPERATURES, TEMPERATURES[0]]).view(torch.int32).long()
    scores, classes, found = best_by_address(features, *args, sizes, bits, top_k)
    expected = [margin_of(*one) for one in zip(features, weights, biases, strict=False)]
    margin_error = float((found[:-1] - torch.tensor(expected)).nan_to_num().abs().max())
    worst, misplaced = 0.0, 0
    for i, size in enumerate(CLASSES):
        kept = min(size, top_k)
        logits = weights[i].double() @ features[i].double() + biases[i].double()
        exact = (logits / TEMPERATURES[i]).softmax(0)
        order = logits.sort(descending=True, stable=True).indices[:kept]
        misplaced += int((classes[i, :kept] != order).sum()) + int(scores[i, kept:].any())
        worst = max([worst, *(scores[i, :kept] - exact[order]).abs().tolist()])
    is_nan = bool(scores[-1, : CLASSES[0]].isnan().all() and found[-1].isnan())
    is_endless = found[[1, 3]].isposinf().all()  # without a second class
    return {
        "error": worst,
        "margin_error": margin_error if is_endless else torch.inf,
        "misplaced": misplaced,
        "nan_stays": is_nan,
    }


def margin_of(feature, weight, bias):
    """Return what `serving.forward.heads.margins` says of one row, in float64."""
    resident = SimpleNamespace(head_weight=weight.double(), head_bias=bias.double())
    return float(margins(feature[None].double(), [resident])[0]) if len(bias) else torch.inf


def steps():
    """Return what is wrong with whole steps; a recording needs a GPU, so each runs anew."""
    recording.record = run_again
    cuda_backend.reads_by_address = lambda _: True
    backbone = tiny_backbone(wide_trunk())
    backend = CudaBackend(backbone, kernels=True, max_batch=3)
    return {**compared(backend), "same_bits": same_bits(backend)}


def same_bits(backend):
    """Whether a step has the features of its parts, one after the other."""
    backbone, rows = backend.backbone, 2
    _, residents, _ = some_rows(backbone, rows, lengths=(4, 0))
    rules = [resident.meta.preprocessing for resident in residents]
    rules[1] = rules[1].model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (0.3, 0.2, 0.1)})
    crops = torch.randint(0, 256, (rows, 16, 16, 3), dtype=torch.uint8)
    of_rows = [resident.addresses for resident in residents]
    step = backend.steps.run(residents[0].form, crops, rules, of_rows)
    prompts = torch.tensor([own[:3] for own in of_rows]).T
    args = backbone.trunk, backbone.spec, normalise_batch(crops, rules), *prompts
    return torch.equal(step.features, features_by_address(*args))


def fp8():
    """Return the same of steps in FP8, as they are and with all rows in doubt."""
    rounding.torch_backend = CudaBackend
    backend = Fp8Backend(tiny_backbone(wide_trunk()), doubt=0.0, kernels=True, max_batch=3)
    left = compared(backend, ["cls"])
    backend.doubt = lambda _: torch.inf
    return {"left": left, "computed again": compared(backend, ["cls"])}


def run_again(run):
    """Return a recording that overwrites its outputs, as a graph does."""
    outputs = run()

    def replay():
        for old, new in zip(outputs, run(), strict=True):
            old.copy_(new)

    return recording.Recording(replay, outputs)


def addresses(tensors):
    return torch.tensor([tensor.data_ptr() for tensor in tensors])


if __name__ == "__main__":
    main()
