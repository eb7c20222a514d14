# SPDX-License-Identifier: Apache-2.0
"""Runs a function on K processes that form a Gloo group, with a time limit.

The processes are forked from a server that has imported torch already, so a test costs milliseconds
to start and not seconds.
"""

import multiprocessing
import os
import socket
import time
import traceback
from typing import Any, Callable

_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOAD = ["torch", "torch.distributed", "torch._dynamo", "numpy", "optinc_torch"]
_CONTEXT.set_forkserver_preload(_PRELOAD)


def preload(modules: list[str]) -> None:
    """Modules that the workers need beside the usual ones; before the first run."""
    _CONTEXT.set_forkserver_preload(_PRELOAD + modules)


class WorkerError(AssertionError):
    """A worker raised; the message holds its traceback."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _worker(connection: Any, function: Callable[..., Any], arguments: tuple,
            environment: dict[str, str], initialise: bool) -> None:
    os.environ.update(environment)
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    try:
        if initialise:
            dist.init_process_group("gloo")
        result = ("value", function(*arguments))
    except BaseException:  # noqa: BLE001 - everything is the parent's to report
        result = ("error", traceback.format_exc())
    connection.send(result)
    connection.close()
    # No destructors: the groups of a test that made a worker fail cannot be taken down in order.
    os._exit(0)


def run(workers: int, function: Callable[..., Any], *arguments: Any, timeout_s: float = 60.0,
        initialise: bool = True, may_die: tuple[int, ...] = ()) -> list[Any]:
    """[function(*arguments) of rank 0, rank 1, ...]. A worker that raises, or that does not answer
    in time, fails the test. Ranks in may_die may end without an answer, and owe none once the
    others have given theirs: it is None then."""
    port = str(free_port())
    processes, connections = [], []
    for rank in range(workers):
        receiver, sender = _CONTEXT.Pipe(duplex=False)
        environment = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(workers),
                       "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
                       "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
        process = _CONTEXT.Process(target=_worker, args=(sender, function, arguments, environment,
                                                         initialise))
        process.start()
        sender.close()
        processes.append(process)
        connections.append(receiver)
    deadline = time.monotonic() + timeout_s
    answers: list[Any] = [None] * workers
    try:
        for rank in sorted(range(workers), key=lambda rank: rank in may_die):
            waits = rank not in may_die or len(may_die) == workers
            answers[rank] = _answer(rank, connections[rank], deadline if waits else 0.0,
                                    rank in may_die)
        return answers
    finally:
        for process in processes:
            process.kill()
            process.join()


def _answer(rank: int, connection: Any, deadline: float, may_die: bool) -> Any:
    if not connection.poll(max(0.0, deadline - time.monotonic())):
        if may_die:
            return None
        raise WorkerError(f"rank {rank} did not answer in time")
    try:
        kind, value = connection.recv()
    except EOFError:
        if may_die:
            return None
        raise WorkerError(f"rank {rank} died") from None
    if kind == "error":
        raise WorkerError(f"rank {rank}:\n{value}")
    return value
