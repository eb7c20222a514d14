# SPDX-License-Identifier: Apache-2.0
"""A program that starts its own ranks, by itself and knowing nothing of OptINC (test_run.py).

    starting_job.py spawn|fork|copies PORT

spawn is torch.multiprocessing.spawn, copies starts the program again with RANK set.
"""

import os
import subprocess
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing

import plain_job

_RANKS = 3


def rank_of(rank: int, port: str) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(_RANKS), "MASTER_ADDR": "127.0.0.1",
                   "MASTER_PORT": port}
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    digest = plain_job.digest_of("ddp", "")
    if rank == 0:
        print("digest", digest, flush=True)
    dist.barrier()
    dist.destroy_process_group()


def main() -> None:
    how, port = sys.argv[1:]
    if how == "spawn":
        torch.multiprocessing.spawn(rank_of, (port,), _RANKS)
    elif how == "copies":
        rank = int(os.environ.get("RANK", "0"))
        others = [] if "RANK" in os.environ else [
            subprocess.Popen([sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]],
                             env={**os.environ, "RANK": str(other)})
            for other in range(1, _RANKS)]
        rank_of(rank, port)
        assert [other.wait() for other in others] == [0] * len(others)
    else:
        context = torch.multiprocessing.get_context(how)
        ranks = [context.Process(target=rank_of, args=(rank, port))
                 for rank in range(_RANKS)]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join()
        sys.exit(max(process.exitcode for process in ranks))


if __name__ == "__main__":
    main()
