"""What this processor has instructions for, by the flags that Linux tells."""

from pathlib import Path

BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
INT8_DOT_PRODUCTS = frozenset({"amx_int8", "avx512_vnni", "avx_vnni", "asimddp"})


def has_bfloat16() -> bool:
    """Whether products of bfloat16 are instructions; else they are emulated, and slow."""
    return bool(_flags() & BFLOAT16)


def has_int8_dot_products() -> bool:
    """Whether dot products of int8 are instructions."""
    return bool(_flags() & INT8_DOT_PRODUCTS)


def _flags() -> set[str]:
    return set(Path("/proc/cpuinfo").read_text().split())
