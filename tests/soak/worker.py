# SPDX-License-Identifier: Apache-2.0
"""worker.py FOLDER SEED ROUNDS RANK SIZE DESIGN: all-reduces tensors of small integers, whose sums the switch
gives exactly, through optinc_torch over Gloo, and checks every element. See program.c."""

import datetime
import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

import optinc_torch

TIMEOUT_S = 5


def values(step: int, count: int, rank: int) -> np.ndarray:
    return np.random.default_rng((step, rank)).integers(-31, 32, count).astype(np.float32)


def main() -> None:
    folder, seed, rounds, rank, size, path = sys.argv[1:]
    rank, size = int(rank), int(size)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size,
                            timeout=datetime.timedelta(seconds=TIMEOUT_S))
    collective = optinc_torch.Collective(optinc_torch.Design.load(path), dist.group.WORLD)
    lengths = np.random.default_rng(int(seed))
    for step in range(int(rounds)):
        count = int(lengths.integers(1, 1 << 19))
        tensor = torch.from_numpy(values(step, count, rank))
        collective.allreduce(tensor, tensor, op="sum", step=step)
        expected = sum(values(step, count, r) for r in range(size))
        wrong = int((tensor.numpy() != expected).sum())
        if wrong:
            print(f"WRONG SUM: {wrong} of {count} elements of step {step} on rank {rank}", flush=True)
            os._exit(3)
        if step == 0:
            Path(folder, str(rank)).write_text(f"{os.getpid()}\n", encoding="ascii")
    if rank == 0:
        print(f"{rounds} rounds right", flush=True)
    os._exit(0)


main()
