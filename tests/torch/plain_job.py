# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of OptINC, started by test_run.py; rank 0 prints a digest of the
parameters after a few steps.

    torchrun --nproc-per-node K plain_job.py ddp|fsdp|ddp-own-hook|ddp-explicit|fsdp-explicit|none [DESIGN]

The explicit ones are what the others must become.
"""

import hashlib
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(30, 200), nn.ReLU(), nn.Linear(200, 5))


def train(wrapped: nn.Module, steps: int = 6) -> None:
    optimiser = torch.optim.SGD(wrapped.parameters(), lr=0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(dist.get_rank())
    for _ in range(steps):
        x = torch.randn(8, 30, generator=generator)
        optimiser.zero_grad()
        nn.functional.cross_entropy(wrapped(x), x[:, :5].argmax(1)).backward()
        optimiser.step()


def make(kind: str) -> nn.Module:
    if kind.startswith("fsdp"):
        sharded = model()
        for layer in (sharded[0], sharded[2]):
            fully_shard(layer)
        fully_shard(sharded)
        return sharded
    wrapped = DistributedDataParallel(model())
    if kind == "ddp-own-hook":
        wrapped.register_comm_hook(None, default_hooks.fp16_compress_hook)
    return wrapped


def attach(kind: str, wrapped: nn.Module, design: str):  # noqa: ANN201 - imported here alone
    import optinc_torch.fsdp

    if kind == "fsdp-explicit":
        return optinc_torch.fsdp.attach(wrapped, design, block_size=64)
    state = optinc_torch.State(design, error_feedback=True)
    wrapped.register_comm_hook(state, optinc_torch.hook)
    return state


def main() -> None:
    kind = sys.argv[1]
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    if kind != "none":
        wrapped = make(kind)
        switch = attach(kind, wrapped, sys.argv[2]) if kind.endswith("explicit") else None
        train(wrapped)
        found = [getattr(p, "full_tensor", lambda p=p: p)().detach() for p in wrapped.parameters()]
        digest = hashlib.sha256(b"".join(p.numpy().tobytes() for p in found)).hexdigest()
        if dist.get_rank() == 0:
            print("digest", digest, flush=True)
        if switch is not None:
            switch.close()
    dist.barrier()
    dist.destroy_process_group()
    sys.exit(int(sys.argv[3]) if len(sys.argv) > 3 else 0)


if __name__ == "__main__":
    main()
