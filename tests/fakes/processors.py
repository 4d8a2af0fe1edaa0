"""What this machine's processor can do, for tests of what depends on it."""

from pathlib import Path

import pytest

_CPU = Path("/proc/cpuinfo")
_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"}

needs_int8_dot_products = pytest.mark.skipif(
    not _CPU.exists() or _DOT_PRODUCTS.isdisjoint(_CPU.read_text().split()),
    reason="without int8 dot products (VNNI, AMX) ONNX Runtime's int8 products saturate at 16 bits",
)
