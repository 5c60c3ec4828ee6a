"""Processes that train one model together, each on its share of every batch.

    torchrun --nproc-per-node 2 -m training.sft --recipe training/recipes/pocket.yaml

Every process holds the whole model. A batch's examples are dealt out in turn; the gradients are summed,
each token weighing the same whatever process saw it, so that the sum is that of one process on the whole
batch. Only the first process writes. Without torchrun there is a crew of one, which talks to nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed


@dataclass(frozen=True)
class Crew:
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def share(self, indices):
        """The examples of a batch that this process takes; may be none."""
        return indices[self.rank :: self.size]

    def sum_up(self, parameters: Iterable[torch.nn.Parameter], *numbers: float) -> list[float]:
        """Sum the gradients over the crew, in place, and `numbers` with them; returns the sums of `numbers`.

        A parameter without a gradient counts as zero: a process without an example still takes part.
        """
        if self.size == 1:
            return list(numbers)
        parameters = [p for p in parameters if p.requires_grad]
        for p in parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        device = parameters[0].device
        flat = torch.cat([*(p.grad.flatten().float() for p in parameters), torch.tensor(numbers, device=device)])
        torch.distributed.all_reduce(flat)
        start = 0
        for p in parameters:
            p.grad.copy_(flat[start : start + p.numel()].view_as(p))
            start += p.numel()
        return flat[start:].tolist()

    def wait(self) -> None:
        """Until all have come here."""
        if self.size > 1:
            torch.distributed.barrier()


def join(device: str) -> Crew:
    """The crew that torchrun has called together, or a crew of one. Raises SystemExit where a launcher promised more."""
    on_cpu = os.environ.get("ACCELERATE_USE_CPU", "false").lower() == "true"
    if on_cpu and "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ:  # what accelerate leaves of --num_processes there
        raise SystemExit(
            "several processes were asked for and one was started: accelerate launch --cpu starts no more, and shards nothing. "
            "On a CPU use torchrun --nproc-per-node 2 -m ..., which trains copies"
        )
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Crew()
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return Crew(torch.distributed.get_rank(), torch.distributed.get_world_size())
