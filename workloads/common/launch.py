# SPDX-License-Identifier: Apache-2.0
"""The process group of a run, and agreement among its workers."""

import datetime
import os
import signal
import sys
from typing import Callable, Optional, TypeVar, cast

import torch
import torch.distributed as dist

from workloads.common.errors import TrainingFailed, UserError

T = TypeVar("T")
EXIT_BAD_INPUT = 2
EXIT_FAILED = 1


def environment_rank() -> int:
    """This worker's rank as torchrun set it; 0 without torchrun."""
    return int(os.environ.get("RANK", "0"))


class StopRequest:
    """Remembers SIGTERM and SIGINT, so that the run ends after the step with a checkpoint."""

    def __init__(self) -> None:
        self.requested = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: object) -> None:
        self.requested = True


def initialise(timeout_s: float) -> None:
    """Joins torchrun's workers over Gloo; without torchrun, a group of one. Sets one thread."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    timeout = datetime.timedelta(seconds=timeout_s)
    if "RANK" in os.environ:
        dist.init_process_group("gloo", timeout=timeout)
    else:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1,
                                timeout=timeout)


def device(name: str) -> torch.device:
    """The processor that --device names; several workers take a machine's GPUs in turn, and share
    one where there are fewer."""
    if name == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if count == 0:
        raise UserError("--device cuda: PyTorch finds no GPU on this machine")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % count)


def agree(function: Callable[[], T]) -> T:
    """Runs `function` on every worker. A UserError on any of them is raised on all of them, so that
    none is left waiting for the others. Collective."""
    message: Optional[str] = None
    value: Optional[T] = None
    try:
        value = function()
    except UserError as error:
        message = str(error)
    messages: list = [None] * dist.get_world_size()
    dist.all_gather_object(messages, message)
    failed = [(rank, text) for rank, text in enumerate(messages) if text is not None]
    if failed:
        rank, text = failed[0]
        raise UserError(text if rank == 0 else f"worker {rank}: {text}")
    return cast(T, value)  # no message, so function has returned


def first_rank_first(function: Callable[[], T]) -> T:
    """As `agree`, but rank 0 has finished (and filled caches) before the others start."""
    rank = dist.get_rank()
    first = agree(lambda: function() if rank == 0 else None)
    return cast(T, agree(lambda: first if rank == 0 else function()))


def gather(values: list[float]) -> torch.Tensor:
    """[workers, len(values)] in double precision, the same on every worker. Collective."""
    mine = torch.tensor(values, dtype=torch.float64)
    everyone = torch.empty(dist.get_world_size() * len(values), dtype=torch.float64)
    dist.all_gather_into_tensor(everyone, mine)
    return everyone.view(-1, len(values))


def run_main(main: Callable[[], int]) -> None:
    """Calls main and ends the process with its exit status; expected errors become one line on
    stderr, written by rank 0 alone."""
    try:
        status = main()
    except UserError as error:
        status = _complain(error, EXIT_BAD_INPUT)
    except TrainingFailed as error:
        status = _complain(error, EXIT_FAILED)
    if dist.is_initialized():
        dist.destroy_process_group()
    # Everything is on disk. The interpreter's own end is left out: DDP still holds the process group
    # then, and Gloo's threads, taken down with it, now and then abort a run that has succeeded.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _complain(error: Exception, status: int) -> int:
    if environment_rank() == 0:
        print(f"error: {error}", file=sys.stderr, flush=True)
    return status
