# SPDX-License-Identifier: Apache-2.0
"""The communication hook of DistributedDataParallel."""

import datetime
import math
import os
import queue
import threading
from dataclasses import dataclass
from typing import Any, Optional, Union

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from optinc_torch.collective import BLOCK_SIZE_DEFAULT, AllreduceReport, Collective
from optinc_torch.design import Design
from optinc_torch.errors import Error
from optinc_torch.feedback import FeedbackStore
from optinc_torch.photonic import Photonic, checked

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_BUCKETS_MAX = 1 << 16  # a step's buckets have random streams of their own: step * 2^16 + bucket


@dataclass(frozen=True)
class Measured:
    """The switch's mean beside the exact one (float64), over the finite elements of a step."""

    error_max: float
    error_bound: float  # the largest bound of any block; error_max may not exceed it
    error_rms: float
    gradient_rms: float


@dataclass
class Statistics:
    """Sums over the all-reduces since the last look, on this rank."""

    allreduces: int = 0
    elements: int = 0
    blocks: int = 0
    blocks_non_finite: int = 0
    bytes_sent: int = 0
    error_bound_max: float = 0.0
    seconds_quantise: float = 0.0
    seconds_exchange: float = 0.0
    seconds_switch: float = 0.0
    seconds_dequantise: float = 0.0
    measured: Optional[Measured] = None

    def add(self, report: AllreduceReport) -> None:
        self.allreduces += 1
        for name in ("elements", "blocks", "blocks_non_finite", "bytes_sent", "seconds_quantise",
                     "seconds_exchange", "seconds_switch", "seconds_dequantise"):
            setattr(self, name, getattr(self, name) + getattr(report, name))
        self.error_bound_max = max(self.error_bound_max, report.error_bound_max)


@dataclass
class _ErrorSums:
    error_max: float = 0.0
    error_bound: float = 0.0
    error_squares: float = 0.0
    gradient_squares: float = 0.0
    count: int = 0

    def add(self, exact: torch.Tensor, reduced: torch.Tensor, bound: float) -> None:
        finite = torch.isfinite(exact)
        exact, error = exact[finite], (reduced[finite].double() - exact[finite]).abs()
        if exact.numel():
            self.error_max = max(self.error_max, error.max().item())
        self.error_bound = max(self.error_bound, bound)
        self.error_squares += error.square().sum().item()
        self.gradient_squares += exact.square().sum().item()
        self.count += exact.numel()

    def result(self) -> Measured:
        count = max(1, self.count)
        return Measured(self.error_max, self.error_bound, math.sqrt(self.error_squares / count),
                        math.sqrt(self.gradient_squares / count))


@dataclass
class _Job:
    buffer: torch.Tensor
    parameters: list[torch.Tensor]
    index: int
    last: bool
    future: torch.futures.Future


class State:
    """State of the hook: the switch, a worker thread, error feedback and statistics.

    Making one is collective over `process_group` (None: the default group), which should be the
    model's own; the library talks over a new Gloo group of the same ranks, so the program's own
    collectives and the hook's never mix. Ranks whose designs or options differ all raise Error.

    design          path of a design file, or a Design; K ranks need K <= its ports
    bits            None, or what the design must have
    error_feedback  add each step's quantisation error to the next step's gradient
    backend         "exact", "table", "onn", "photonic"; None: exact if the design is proved so,
                    else table
    photonic        the backend photonic's chip, faults and calibration; None: an ideal chip
    rounding        "nearest" or "stochastic", of the quantisation; the latter is keyed by `seed`
    measure_every   every so many steps compare with an exact float64 all-reduce; 0: never
    threads         OpenMP threads of quantising and switching
    timeout_s       after which an operation between the ranks fails instead of waiting on
    """

    def __init__(self, design: Union[str, os.PathLike, Design], *, bits: Optional[int] = None,
                 error_feedback: bool = False, backend: Optional[str] = None,
                 photonic: Optional[Photonic] = None, rounding: str = "nearest", seed: int = 0, block_size: int = BLOCK_SIZE_DEFAULT,
                 chunk_elements: int = 0, threads: int = 1, measure_every: int = 0,
                 process_group: Optional[dist.ProcessGroup] = None,
                 timeout_s: float = 300.0) -> None:
        self.error_feedback, self.rounding, self.block_size = error_feedback, rounding, block_size
        self.measure_every = measure_every
        self._group = dist.new_group(
            None if process_group is None else dist.get_process_group_ranks(process_group),
            backend="gloo", timeout=datetime.timedelta(seconds=timeout_s),
            use_local_synchronization=process_group is not None)
        self.photonic: Optional[Photonic] = None
        self.design = self._load_on_all_ranks(design, bits, backend, photonic)
        self.backend = backend or ("exact" if self.design.exact else "table")
        self._collective = Collective(self.design, self._group, backend=self.backend,
                                      photonic=self.photonic, rounding=rounding, seed=seed,
                                      block_size=block_size, chunk_elements=chunk_elements,
                                      threads=threads)
        self._feedback = FeedbackStore()
        self._staging: dict[int, torch.Tensor] = {}  # float32 copies of other gradients, by size
        self._statistics = Statistics()
        self._step = 0
        self._sums: Optional[_ErrorSums] = None
        self._failure: Optional[BaseException] = None
        self._jobs: queue.SimpleQueue[Optional[_Job]] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="optinc", daemon=True)
        self._worker.start()

    def _load_on_all_ranks(self, design: Union[str, os.PathLike, Design], bits: Optional[int],
                           backend: Optional[str], photonic: Optional[Photonic]) -> Design:
        """The design, if every rank has one that fits and all have the same hardware; else Error on
        every rank."""
        loaded, message, hardware = None, None, None
        try:
            self.photonic = checked(backend, photonic)
            hardware = self.photonic and self.photonic.configuration()
            loaded = design if isinstance(design, Design) else Design.load(design)
            if bits is not None and bits != loaded.bits:
                message = f"{loaded.source}: a design for {loaded.bits} bits, not for {bits}"
            elif dist.get_world_size(self._group) > loaded.ports:
                message = (f"{loaded.source}: a switch with {loaded.ports} ports cannot serve "
                           f"{dist.get_world_size(self._group)} workers")
        except (Error, TypeError, ValueError) as error:
            message = str(error)
        answers: list[Any] = [None] * dist.get_world_size(self._group)
        dist.all_gather_object(answers, (message, hardware), group=self._group)
        failed = [f"rank {rank}: {text}" for rank, (text, _) in enumerate(answers) if text]
        if message is not None or failed:
            raise Error(message or failed[0])
        differing = [rank for rank, (_, other) in enumerate(answers) if other != answers[0][1]]
        if differing:
            raise Error(f"the ranks disagree about the photonic hardware: rank {differing[0]}'s "
                        "is not rank 0's")
        assert loaded is not None
        return loaded

    def submit(self, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        """Queues a bucket for the worker thread; what `hook` returns."""
        if self._failure is not None:
            raise Error(f"an earlier all-reduce failed: {self._failure}") from self._failure
        buffer = bucket.buffer()
        if buffer.dtype not in DTYPES or buffer.device.type != "cpu":
            raise Error("gradients in float32, bfloat16 or float16 on the CPU were expected, not "
                        f"{buffer.dtype} on {buffer.device}")
        future: torch.futures.Future = torch.futures.Future()
        self._jobs.put(_Job(buffer, bucket.parameters(), bucket.index(), bucket.is_last(), future))
        # DDP takes the value of a Python future as it is; only an exception that passes through
        # `then` reaches the training loop as an exception.
        return future.then(lambda done: done.value())

    def _work(self) -> None:
        """The worker thread: one bucket after the other, while the backward pass goes on."""
        while (job := self._jobs.get()) is not None:
            try:
                if self._failure is not None:
                    raise Error(f"an earlier all-reduce failed: {self._failure}")
                self._reduce(job)
            except BaseException as error:  # noqa: BLE001 - it is the training loop's to handle
                self._fail(error)
                job.future.set_exception(error if isinstance(error, Exception)
                                         else Error(repr(error)))
            else:
                job.future.set_result(job.buffer)

    def _fail(self, error: BaseException) -> None:
        """The other ranks wait for this one: closing the connections ends their waiting now."""
        if self._failure is None:
            self._failure = error
            try:
                self._group.abort()
            except RuntimeError:
                pass  # a backend without abort: the others end with timeout_s

    def _reduce(self, job: _Job) -> None:
        values = self._as_float32(job.buffer)
        feedback = self._feedback.flat(job.parameters) if self.error_feedback else None
        measuring = self.measure_every > 0 and self._step % self.measure_every == 0
        exact = self._exact_mean(values, feedback) if measuring else None
        report = self._collective.allreduce(values, values, op="mean", error_feedback=feedback,
                                            step=self._step * _BUCKETS_MAX + job.index)
        self._statistics.add(report)
        if exact is not None:
            self._sums = self._sums or _ErrorSums()
            self._sums.add(exact, values, report.error_bound_max)
        if values is not job.buffer:
            job.buffer.copy_(values)
        if job.last:
            self._step += 1
            if self._sums is not None:
                self._statistics.measured, self._sums = self._sums.result(), None

    def _as_float32(self, buffer: torch.Tensor) -> torch.Tensor:
        if buffer.dtype == torch.float32 and buffer.is_contiguous():
            return buffer
        staging = self._staging.get(buffer.numel())
        if staging is None:
            staging = self._staging[buffer.numel()] = torch.empty(buffer.numel())
        return staging.copy_(buffer)

    def _exact_mean(self, values: torch.Tensor, feedback: Optional[torch.Tensor]) -> torch.Tensor:
        """float64 mean over the ranks of what is about to be quantised."""
        carried = values if feedback is None else values + feedback
        total = carried.double()
        dist.all_reduce(total, group=self._group)
        return total / dist.get_world_size(self._group)

    def take_statistics(self) -> Statistics:
        """What happened since the last call; to be called between steps."""
        taken, self._statistics = self._statistics, Statistics()
        return taken

    def reset(self) -> None:
        """Forgets feedback, step count and statistics; to be called between steps."""
        self._feedback.clear()
        self._step, self._statistics, self._sums = 0, Statistics(), None

    def state_dict(self, module: nn.Module) -> dict[str, Any]:
        """Step count and this rank's error feedback by parameter name (without DDP's prefix). Each
        rank has its own."""
        return {"step": self._step, "feedback": self._feedback.state_dict(_named(module))}

    def load_state_dict(self, state: dict[str, Any], module: nn.Module) -> None:
        """Continues where state_dict was taken; ValueError if it is of another model."""
        self._feedback.load_state_dict(state["feedback"], _named(module))
        self._step, self._statistics, self._sums = int(state["step"]), Statistics(), None

    def close(self) -> None:
        """Ends the worker thread and frees the switch; safe twice. Not collective. The design, if
        it was given as a Design, stays the caller's."""
        if self._worker.is_alive():
            self._jobs.put(None)
            self._worker.join()
        self._collective.close()


def _named(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    inner = module.module if isinstance(module, DistributedDataParallel) else module
    return list(inner.named_parameters())


def hook(state: State, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """For model.register_comm_hook(state, hook): the mean of the bucket over the ranks, computed by
    the switch. Errors surface as exceptions from backward()."""
    return state.submit(bucket)
