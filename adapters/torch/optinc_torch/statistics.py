# SPDX-License-Identifier: Apache-2.0
"""What the all-reduces of a while did, and how far their results were from exact ones."""

import math
import threading
from dataclasses import dataclass
from typing import Optional

import torch

from optinc_torch.collective import AllreduceReport


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
    elements_full_precision: int = 0  # beside `elements`: of warm-up steps, and excluded ones
    blocks: int = 0
    blocks_non_finite: int = 0
    bytes_sent: int = 0  # those at full precision by the formula of a ring
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


class _ErrorSums:
    def __init__(self) -> None:
        self._error_max = self._error_bound = self._error_squares = self._gradient_squares = 0.0
        self._count = 0

    def add(self, exact: torch.Tensor, reduced: torch.Tensor, bound: float) -> None:
        finite = torch.isfinite(exact)
        exact, error = exact[finite], (reduced[finite].double() - exact[finite]).abs()
        if exact.numel():
            self._error_max = max(self._error_max, error.max().item())
        self._error_bound = max(self._error_bound, bound)
        self._error_squares += error.square().sum().item()
        self._gradient_squares += exact.square().sum().item()
        self._count += exact.numel()

    def result(self) -> Measured:
        count = max(1, self._count)
        return Measured(self._error_max, self._error_bound, math.sqrt(self._error_squares / count),
                        math.sqrt(self._gradient_squares / count))


class Recorder:
    """Statistics that several lanes write to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statistics = Statistics()
        self._sums: Optional[_ErrorSums] = None

    def add(self, report: AllreduceReport) -> None:
        with self._lock:
            self._statistics.add(report)

    def add_full_precision(self, elements: int, bytes_sent: int, seconds: float) -> None:
        with self._lock:
            self._statistics.elements_full_precision += elements
            self._statistics.bytes_sent += bytes_sent
            self._statistics.seconds_exchange += seconds

    def measure(self, exact: torch.Tensor, reduced: torch.Tensor, bound: float) -> None:
        with self._lock:
            self._sums = self._sums or _ErrorSums()
            self._sums.add(exact, reduced, bound)

    def take(self) -> Statistics:
        """Since the last call; between steps."""
        with self._lock:
            taken, self._statistics = self._statistics, Statistics()
            if self._sums is not None:
                taken.measured, self._sums = self._sums.result(), None
            return taken
