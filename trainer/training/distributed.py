"""Several processes that train one model, as `torchrun` starts them; one process is the usual case.

Every process walks through the same batches and takes its share of each, so that the sum of
gradients is that of one process with the whole batch.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from trainer.errors import TrainingError


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes while in this block, if `torchrun` started more than one.

    Raises:
        TrainingError: WORLD_SIZE says that there are others, and they cannot be joined.
    """
    world_size = os.environ.get("WORLD_SIZE") or "1"
    if world_size == "1":
        yield
        return
    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group()
    except (ValueError, KeyError, RuntimeError) as error:
        raise TrainingError(
            f"WORLD_SIZE is {world_size!r}, but there are no such processes to join ({error}); "
            "start them with torchrun, or unset it"
        ) from error
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Return this process's place, 0 for the one that writes files."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def add_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace each gradient by the sum over the processes."""
    if size() > 1:
        for parameter in parameters:
            if parameter.grad is None:  # this process had no share of the batch
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)


def total(value: Tensor) -> Tensor:
    """Return the sum over the processes."""
    if size() > 1:
        dist.all_reduce(value)
    return value


def same_everywhere(tensors: Iterable[Tensor]) -> None:
    """Give every process the tensors of the first, in place."""
    if size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


def wait() -> None:
    """Wait until every process is here, so that files of the first can be read by all."""
    if size() > 1:
        dist.barrier()
