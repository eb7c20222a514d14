# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of OptINC and do something out of the ordinary, started by test_run.py.

    torchrun --nproc-per-node K other_jobs.py double|sparse|groups|folds|two-models|broken
"""

import gc
import sys
import threading

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def step(model: nn.Module, x: torch.Tensor) -> None:
    model(x).sum().backward()


def double() -> None:
    step(DistributedDataParallel(nn.Linear(3, 3).double()), torch.ones(1, 3, dtype=torch.float64))


def sparse() -> None:
    step(DistributedDataParallel(nn.Embedding(10, 3, sparse=True)), torch.tensor([1]))


def groups() -> None:
    """A model on half of the ranks before one on all of them."""
    halves = [dist.new_group([0, 1]), dist.new_group([2, 3])]
    half = halves[dist.get_rank() // 2]
    for group in (half, None, half):
        model = DistributedDataParallel(nn.Linear(3, 3), process_group=group)
        step(model, torch.full((1, 3), float(dist.get_rank() + 1)))
        ranks = dist.get_process_group_ranks(group)
        mean = sum(rank + 1 for rank in ranks) / len(ranks)
        print("mean", mean, "found", model.module.weight.grad.unique().tolist(), flush=True)


def folds() -> None:
    """A model after the other, as in a cross-validation."""
    for _ in range(3):
        model = DistributedDataParallel(nn.Linear(3, 3))
        step(model, torch.ones(1, 3))
        del model
        gc.collect()
        print("lanes", sum(thread.name == "optinc" for thread in threading.enumerate()))


def two_models() -> None:
    generator = DistributedDataParallel(nn.Linear(3, 3))
    judge = DistributedDataParallel(nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)))
    judge(generator(torch.ones(2, 3))).sum().backward()


def broken() -> None:
    step(DistributedDataParallel(nn.Linear(3, 3)), torch.ones(1, 3))
    raise ArithmeticError("the program's own")


def main() -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    {"double": double, "sparse": sparse, "groups": groups, "folds": folds,
     "two-models": two_models, "broken": broken}[sys.argv[1]]()
    gc.collect()
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
