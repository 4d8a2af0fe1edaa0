"""How a kernel reads what lies at an address: as an offset from one of its tensors.

A choice between pointers, or one made of a number, would lose what is known of their alignment, and
with it all asynchronous and wide copies.
"""

from typing import Any

import triton
import triton.language as tl
from triton.runtime.jit import JITFunction


@triton.jit
def offset_of(address, tensor):  # type: ignore[no-untyped-def]
    """Return where an address is, in elements from a tensor; both are aligned to 16 bytes."""
    item_bytes: tl.constexpr = tensor.dtype.element_ty.primitive_bitwidth // 8
    return tl.multiple_of((address - tensor.to(tl.int64)) // item_bytes, 16 // item_bytes)


def is_compiled(kernel: Any) -> bool:
    """Whether a kernel is one that compilers see; those of Triton's interpreter are not."""
    return isinstance(kernel, JITFunction)
