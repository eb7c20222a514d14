# SPDX-License-Identifier: Apache-2.0
"""The all-reduce of float32 tensors through a switch."""

import ctypes
from dataclasses import dataclass
from typing import Any, Optional

import torch

from optinc_torch import _abi
from optinc_torch._library import LogHandler, runtime, toolchain
from optinc_torch.design import Design
from optinc_torch.errors import LibraryError
from optinc_torch.photonic import Photonic, checked
from optinc_torch.transport import TorchTransport

BLOCK_SIZE_DEFAULT = 256


@dataclass(frozen=True)
class AllreduceReport:
    """What one all-reduce did, on this rank; see optinc_allreduce_report in optinc/collective.h."""

    elements: int
    blocks: int
    blocks_non_finite: int
    bytes_sent: int
    error_bound_max: float
    seconds_quantise: float
    seconds_exchange: float
    seconds_switch: float
    seconds_dequantise: float


def _address(tensor: torch.Tensor, name: str, count: int) -> int:
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not tensor.is_contiguous():
        raise TypeError(f"{name}: a contiguous float32 tensor on the CPU was expected, not "
                        f"{tensor.dtype} on {tensor.device}")
    if tensor.numel() != count:
        raise ValueError(f"{name}: {tensor.numel()} elements, {count} were expected")
    return tensor.data_ptr()


def _backend(name: Optional[str]) -> Optional[int]:
    if name is None:
        return None
    if name in ("onn", "photonic"):
        return getattr(toolchain(), f"optinc_backend_{name}")()
    if name in ("exact", "table"):
        return getattr(runtime(), f"optinc_backend_{name}")()
    raise ValueError(f"backend {name!r}: exact, table, onn or photonic was expected")


class Collective:
    """optinc_collective over a process group. The constructor is collective: designs and options
    are compared, and if any rank's differ all of them raise. One call at a time; no own thread."""

    def __init__(self, design: Design, group: Any, *, backend: Optional[str] = None,
                 photonic: Optional[Photonic] = None, rounding: str = "nearest", seed: int = 0,
                 block_size: int = BLOCK_SIZE_DEFAULT, chunk_elements: int = 0,
                 threads: int = 1) -> None:
        """`group`, over Gloo, is to be used by this object alone. backend None: exact if the design
        is proved so, else table. `photonic`, for that backend, is not compared: State does so.
        chunk_elements 0: the library's choice."""
        if rounding not in _abi.ROUNDINGS:
            raise ValueError(f"rounding {rounding!r}: nearest or stochastic was expected")
        hardware = checked(backend, photonic)
        backend_options = None if hardware is None else hardware.options()
        self._design = design  # borrowed by the library
        self._transport = TorchTransport(group)
        self._handler = LogHandler()
        self._handle: Optional[ctypes.c_void_p] = ctypes.c_void_p()
        options = _abi.CollectiveOptions(
            block_size=block_size, rounding=_abi.ROUNDINGS[rounding], seed=seed,
            chunk_elements=chunk_elements, thread_count=threads, kernel=0,
            backend=_backend(backend), backend_options=None if backend_options is None else
            ctypes.cast(ctypes.byref(backend_options), ctypes.c_void_p))
        status = runtime().optinc_collective_create(
            ctypes.byref(self._transport.struct), design.handle, ctypes.byref(options),
            self._handler.pointer, ctypes.byref(self._handle))
        self._check(status, "creating the collective")

    def allreduce(self, source: torch.Tensor, target: torch.Tensor, *, op: str = "mean",
                  error_feedback: Optional[torch.Tensor] = None, step: int = 0,
                  turn: Optional[str] = None) -> AllreduceReport:
        """Mean (or "sum") over the ranks of `source` into `target`, float32 on the CPU; they may be
        one tensor. error_feedback, of the same size, is added first and then replaced by this
        step's quantisation error. `step` keys stochastic rounding. turn "even" or
        "odd": elements of such an index pass the switch with their signs turned. After a LibraryError of the
        transport the object can only be closed."""
        if self._handle is None:
            raise ValueError("the collective is closed")
        count = source.numel()
        feedback = None if error_feedback is None else _address(error_feedback, "error_feedback",
                                                                count)
        arguments = _abi.AllreduceArgs(
            input=_address(source, "source", count), output=_address(target, "target", count),
            count=count, op=_abi.OPS[op], error_feedback=feedback, step=step, turn=_abi.TURNS[turn])
        report = _abi.AllreduceReport()
        status = runtime().optinc_allreduce(self._handle, ctypes.byref(arguments),
                                            ctypes.byref(report))
        self._check(status, "all-reduce")
        return AllreduceReport(**{name: getattr(report, name) for name, *_ in report._fields_})

    def reduce_scatter(self, source: torch.Tensor, target: torch.Tensor, *, op: str = "mean",
                       step: int = 0) -> AllreduceReport:
        """Of `source`, a part for each rank, this rank's part of the mean (or "sum") into `target`,
        which may be that part of source itself. Half of an all-reduce's bytes."""
        if self._handle is None:
            raise ValueError("the collective is closed")
        count = target.numel()
        arguments = _abi.ReduceScatterArgs(
            input=_address(source, "source", count * self._transport.size),
            output=_address(target, "target", count), count=count, op=_abi.OPS[op], step=step)
        report = _abi.AllreduceReport()
        status = runtime().optinc_reduce_scatter(self._handle, ctypes.byref(arguments),
                                                 ctypes.byref(report))
        self._check(status, "reduce-scatter")
        return AllreduceReport(**{name: getattr(report, name) for name, *_ in report._fields_})

    def _check(self, status: int, what: str) -> None:
        try:
            self._handler.check(status, what)
        except LibraryError as error:
            cause = self._transport.error
            if cause is None:
                raise
            raise LibraryError(error.status, error.name, f"{error} ({cause})") from cause

    def close(self) -> None:
        """Frees it; safe twice. Not collective. After an error of the transport the engine may
        still write to the library's buffers, so they are left to it."""
        if self._handle is not None:
            if self._transport.error is None:
                runtime().optinc_collective_destroy(ctypes.byref(self._handle))
                self._transport.release()
            self._handle = None
