# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of OptINC, started by test_run.py; rank 0 prints a digest of the
parameters after a few steps.

    torchrun --nproc-per-node K plain_job.py ddp|fsdp|ddp-own-hook|ddp-explicit|fsdp-explicit|none [DESIGN]

The explicit ones are what the others must become.
"""

import gc
import hashlib
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(30, 200), nn.ReLU(), nn.Linear(200, 5))


def half_of_the_sum(_state: None, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    values = bucket.buffer()
    dist.all_reduce(values)
    future: torch.futures.Future = torch.futures.Future()
    future.set_result(values / 2)
    return future


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
        wrapped.register_comm_hook(None, half_of_the_sum)
    return wrapped


def attach(kind: str, wrapped: nn.Module, design: str):  # noqa: ANN201 - imported here alone
    import optinc_torch.fsdp

    if kind == "fsdp-explicit":
        return optinc_torch.fsdp.attach(wrapped, design, block_size=64)
    state = optinc_torch.State(design, error_feedback=True)
    wrapped.register_comm_hook(state, optinc_torch.hook)
    return state


def digest_of(kind: str, design: str) -> str:
    wrapped = make(kind)
    switch = attach(kind, wrapped, design) if kind.endswith("explicit") else None
    train(wrapped)
    found = [getattr(p, "full_tensor", lambda p=p: p)().detach() for p in wrapped.parameters()]
    if switch is not None:
        switch.close()
    return hashlib.sha256(b"".join(p.numpy().tobytes() for p in found)).hexdigest()


def main() -> None:
    kind, design = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    if kind != "none":
        # A model that outlives the process group takes it down with the GIL held, and PyTorch
        # hangs now and then: it waits for Gloo's thread, which waits for the GIL.
        digest = digest_of(kind, design)
        gc.collect()
        if dist.get_rank() == 0:
            print("digest", digest, flush=True)
    dist.barrier()
    dist.destroy_process_group()
    sys.exit(int(sys.argv[3]) if len(sys.argv) > 3 else 0)


if __name__ == "__main__":
    main()
