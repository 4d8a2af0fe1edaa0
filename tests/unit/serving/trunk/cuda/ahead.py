"""Compile the kernels for an H100 without one, and read what came of each."""

import re
import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from serving.trunk.cuda import attention, heads

HOPPER = GPUTarget("cuda", 90, 32)
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"

PTX = {
    "tensor_core": "wgmma.mma_async",
    "small_tensor_core": "mma.sync",
    "asynchronous_copy": "cp.async.cg",
    "narrow_copy": "cp.async.ca",
    "wide_load": "ld.global.v4",
}


def has_tools() -> bool:
    return (TOOLS / "cuobjdump").exists() and (TOOLS / "ptxas").exists()


def kernels_seen():
    return {name: seen(*made) for name, made in kernels().items()}


def kernels():
    """Return each kernel, its arguments' types, its constants and its options."""
    made = {}
    for head_dim in attention.HEAD_DIMS:
        for queries in (1, 197):
            numbers = {"layer": 1, "queries": queries}
            ones = {name: value for name, value in numbers.items() if value == 1}
            made[f"attention of {queries} queries, head dim {head_dim}"] = (
                attention.attention_kernel,
                {
                    "qkv": "*bf16",
                    "prefixes": "*i64",
                    "lengths": "*i64",
                    "out": "*bf16",
                    "layer": "i32",
                    "tokens": "i32",
                    "queries": "i32",
                    "scale": "fp32",
                },
                {
                    **ones,  # as at a launch
                    "HEADS": 768 // head_dim,
                    "HEAD_DIM": head_dim,
                    "BLOCK_M": attention.queries_of_tile(queries),
                    "BLOCK_N": attention.KEYS,
                },
                {"num_warps": attention.WARPS, "num_stages": attention.STAGES},
            )
    pointers = {"weights": "*i64", "classes": "*i64", "logits": "*fp32"}
    row = {"WIDTH": 768, "BLOCK_D": 1024}
    made["logits"] = (
        heads.logits_kernel,
        {"features": "*bf16", **pointers, "biases": "*i64", "capacity": "i32"},
        {**row, "BLOCK_C": heads.CLASSES},
        {"num_warps": heads.WARPS},
    )
    made["pick"] = (
        heads.pick_kernel,
        {
            "features": "*bf16",
            **pointers,
            "temperatures": "*i64",
            "scores": "*fp32",
            "found": "*i32",
            "margins": "*fp32",
            "capacity": "i32",
        },
        {**row, "TOP_K": 8, "BLOCK": heads.PICKED},
        {"num_warps": heads.WARPS},
    )
    return made


def seen(kernel, signature, constants, options):
    """Return how often each instruction occurs, and the registers and stack of one thread."""
    names = kernel.arg_names
    source = ASTSource(
        fn=kernel,
        signature=signature | dict.fromkeys(constants, "constexpr"),
        constexprs={(names.index(name),): value for name, value in constants.items()},
        # what torch's allocator promises of every tensor
        attrs={
            (names.index(name),): [["tt.divisibility", 16]]
            for name, kind in signature.items()
            if kind.startswith("*")
        },
    )
    compiled = triton.compile(source, target=HOPPER, options=options)
    found = {name: compiled.asm["ptx"].count(text) for name, text in PTX.items()}
    return {**found, "shared_bytes": compiled.metadata.shared, **usage(compiled.asm["cubin"])}


def usage(cubin: bytes):
    """Return the registers, stack and local memory of each thread."""
    with NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(cubin)
        command = [TOOLS / "cuobjdump", "-res-usage", file.name]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {
        name.lower(): int(re.search(rf"\b{name}:(\d+)", told)[1])
        for name in ("REG", "STACK", "LOCAL")
    }
