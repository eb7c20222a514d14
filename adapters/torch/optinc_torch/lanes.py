# SPDX-License-Identifier: Apache-2.0
"""The switch of a process group, at work in several lanes.

A lane is a thread with a Gloo group and a collective of its own, and does its jobs one after the
other. Job i goes to lane i mod count, on every rank, so that each group sees the same operations in
the same order everywhere, while the jobs of two lanes overlap: one is quantised while the other's
codes travel.
"""

import atexit
import hashlib
import json
import queue
import threading
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

import torch

from optinc_torch.collective import Collective
from optinc_torch.design import Design
from optinc_torch.errors import Error
from optinc_torch.photonic import Photonic, checked

_TEXT_SIZE = 1024
_EXIT_PATIENCE_S = 1.0


@dataclass(frozen=True)
class SwitchOptions:
    """What a switch is made of; see State for the meaning."""

    design: Any  # path or Design
    bits: Optional[int] = None
    backend: Optional[str] = None
    photonic: Optional[Photonic] = None
    rounding: str = "nearest"
    seed: int = 0
    block_size: int = 256
    chunk_elements: int = 0
    threads: int = 1


class Lane:
    """Works off its queue. `group` and `collective` are for the jobs alone."""

    def __init__(self, group: Any, collective: Collective) -> None:
        self.group, self.collective = group, collective
        self.scratch: dict[Any, torch.Tensor] = {}  # the jobs' buffers, by what they are for
        self.jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def buffer(self, purpose: str, count: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """[count], kept for the next job that asks for the same."""
        key = (purpose, count, dtype)
        found = self.scratch.get(key)
        if found is None:
            found = self.scratch[key] = torch.empty(count, dtype=dtype)
        return found


class Lanes:
    """Making one is collective over the groups' ranks: if any rank has a design that does not fit,
    or other options, all of them raise Error."""

    def __init__(self, options: SwitchOptions, groups: Sequence[Any]) -> None:
        """`groups`: one a lane, of the same ranks, for nothing else; a ProcessGroup over Gloo or a
        ProcessGroupGloo."""
        self.ranks = groups[0].size()
        self.design, self.photonic = _load_on_all_ranks(options, groups[0])
        self.backend = options.backend or ("exact" if self.design.exact else "table")
        self.failure: Optional[BaseException] = None
        self._next = 0
        self._lanes = [Lane(group, Collective(self.design, group, backend=self.backend,
                                              photonic=self.photonic,
                                              rounding=options.rounding, seed=options.seed,
                                              block_size=options.block_size,
                                              chunk_elements=options.chunk_elements,
                                              threads=options.threads)) for group in groups]
        self._workers = [threading.Thread(target=self._work, args=(lane,), name="optinc",
                                          daemon=True) for lane in self._lanes]
        for worker in self._workers:
            worker.start()
        _open.add(self)

    def submit(self, job: Callable[[Lane, torch.futures.Future], None],
               devices: Sequence[torch.device] = ()) -> torch.futures.Future:
        """Queues `job`, which gives the future its result or raises. Every rank must submit the
        same jobs in the same order. `devices`: the accelerator whose streams the result is on."""
        if self.failure is not None:
            raise Error(f"an earlier all-reduce failed: {self.failure}") from self.failure
        future: torch.futures.Future = torch.futures.Future(devices=list(devices))
        self._lanes[self._next % len(self._lanes)].jobs.put((job, future))
        self._next += 1
        # PyTorch's C++ takes the value of a Python future as it is; only an exception that passes
        # through `then` reaches the training loop as an exception.
        return future.then(lambda done: done.value())

    def _work(self, lane: Lane) -> None:
        while (entry := lane.jobs.get()) is not None:
            job, future = entry
            try:
                if self.failure is not None:
                    raise Error(f"an earlier all-reduce failed: {self.failure}")
                job(lane, future)
            except BaseException as error:  # noqa: BLE001 - it is the training loop's to handle
                self._fail(error)
                future.set_exception(error if isinstance(error, Exception) else Error(repr(error)))

    def _fail(self, error: BaseException) -> None:
        """The other ranks wait for this one: closing the connections ends their waiting now."""
        if self.failure is not None:
            return
        self.failure = error
        for lane in self._lanes:
            try:
                lane.group.abort()
            except RuntimeError:
                pass  # a backend without abort: the others end with the group's time limit

    def close(self) -> None:
        """Ends the threads and frees the switch; safe twice. Not collective."""
        for lane, worker in zip(self._lanes, self._workers):
            if worker.is_alive():
                lane.jobs.put(None)
                worker.join()
            lane.collective.close()
            if self.failure is None:
                # A group that is taken down while the interpreter ends may abort the program: its
                # threads must not meet an interpreter that is no more.
                lane.group = None
        _open.discard(self)

    def end_with_the_interpreter(self) -> None:
        """As close(), for a program that forgot it; a lane that waits for a rank that has gone is
        left as it is."""
        for lane in self._lanes:
            lane.jobs.put(None)
        for lane, worker in zip(self._lanes, self._workers):
            worker.join(_EXIT_PATIENCE_S)
            if not worker.is_alive():
                lane.collective.close()


_open: "weakref.WeakSet[Lanes]" = weakref.WeakSet()


@atexit.register
def _end() -> None:
    """A thread of ours that the interpreter cuts off in PyTorch's code would abort the program."""
    for lanes in list(_open):
        lanes.end_with_the_interpreter()


def _exchange_texts(group: Any, text: str) -> list[str]:
    """The texts of all ranks."""
    mine = torch.zeros(_TEXT_SIZE, dtype=torch.uint8)
    data = text.encode()[:_TEXT_SIZE]
    mine[:len(data)] = torch.frombuffer(bytearray(data or b"\0"), dtype=torch.uint8)[:len(data)]
    found = [torch.zeros_like(mine) for _ in range(group.size())]
    group.allgather([found], [mine]).wait()
    return [bytes(t.tolist()).rstrip(b"\0").decode("utf-8", "replace") for t in found]


def _check_ranges(options: SwitchOptions) -> None:
    """ctypes would cut off what C's types do not hold."""
    for name, bits in (("seed", 64), ("block_size", 32), ("chunk_elements", 64), ("threads", 32)):
        value = getattr(options, name)
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{name} {value}: 0 to 2^{bits} - 1 was expected")


def _load_on_all_ranks(options: SwitchOptions, group: Any) -> tuple[Design, Optional[Photonic]]:
    """The design, if every rank has one that fits and all have the same hardware; else Error on
    every rank."""
    loaded, photonic, message, hardware = None, None, "", ""
    try:
        _check_ranges(options)
        photonic = checked(options.backend, options.photonic)
        if photonic is not None:
            text = json.dumps(photonic.configuration(), sort_keys=True)
            hardware = hashlib.sha256(text.encode()).hexdigest()
        loaded = (options.design if isinstance(options.design, Design)
                  else Design.load(options.design))
        if options.bits is not None and options.bits != loaded.bits:
            message = f"{loaded.source}: a design for {loaded.bits} bits, not for {options.bits}"
        elif group.size() > loaded.ports:
            message = (f"{loaded.source}: a switch with {loaded.ports} ports cannot serve "
                       f"{group.size()} workers")
    except (Error, TypeError, ValueError) as error:
        message = str(error) or repr(error)
    failed = [f"rank {rank}: {text}"
              for rank, text in enumerate(_exchange_texts(group, message)) if text]
    if message or failed:
        raise Error(message or failed[0])
    others = _exchange_texts(group, hardware)
    differing = [rank for rank, other in enumerate(others) if other != others[0]]
    if differing:
        raise Error(f"the ranks disagree about the photonic hardware: rank {differing[0]}'s is not "
                    "rank 0's")
    assert loaded is not None
    return loaded, photonic
