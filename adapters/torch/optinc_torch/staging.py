# SPDX-License-Identifier: Apache-2.0
"""How a gradient's memory becomes the float32 values on the CPU that the library reduces, and back.

CPU tensors are used in place, or through a float32 copy. Those of an accelerator go through pinned
host memory on a stream of their own, so that the copies overlap with the backward pass. Another
way, kernels on the accelerator for instance, is a class with the methods of Staging, made known by
`register`.
"""

from contextlib import nullcontext
from typing import Any, Callable, ContextManager, Protocol

import torch

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


class Staging(Protocol):
    """Of one bucket, used again in every step."""

    def begin(self, buffer: torch.Tensor) -> None:
        """On the thread and stream that computed `buffer`; must not block."""

    def values(self, buffer: torch.Tensor) -> torch.Tensor:
        """[numel] float32 on the CPU, contiguous; may be `buffer` itself. On a lane's thread, which
        may wait here for what `begin` started."""

    def finish(self, values: torch.Tensor, buffer: torch.Tensor) -> ContextManager[Any]:
        """Brings the reduced `values` into `buffer`. Within the context the future gets its value;
        copies in flight must be on its current stream."""


class HostStaging:
    """float32 in place; bfloat16 and float16 are reduced in float32 and rounded once at the end."""

    def __init__(self) -> None:
        self._copy = torch.empty(0)

    def begin(self, buffer: torch.Tensor) -> None:
        pass

    def values(self, buffer: torch.Tensor) -> torch.Tensor:
        if buffer.dtype == torch.float32 and buffer.is_contiguous():
            return buffer
        if self._copy.numel() != buffer.numel():
            self._copy = torch.empty(buffer.numel())
        return self._copy.copy_(buffer.reshape(-1))

    def finish(self, values: torch.Tensor, buffer: torch.Tensor) -> ContextManager[Any]:
        if values.data_ptr() != buffer.data_ptr():
            buffer.copy_(values.view_as(buffer))
        return nullcontext()


class PinnedStaging:
    """Through pinned host memory of the gradient's own type; half precision is widened there."""

    def __init__(self, runtime: Any, pin: bool = True) -> None:
        """`runtime`: the device's module, as torch.cuda."""
        self._runtime, self._pin = runtime, pin
        self._host = torch.empty(0)
        self._wide = HostStaging()
        self._stream: Any = None
        self._arrived: Any = None

    def begin(self, buffer: torch.Tensor) -> None:
        if self._host.numel() != buffer.numel() or self._host.dtype != buffer.dtype:
            self._host = torch.empty(buffer.numel(), dtype=buffer.dtype, pin_memory=self._pin)
            self._stream = self._runtime.Stream()
            self._arrived = self._runtime.Event()
        self._stream.wait_stream(self._runtime.current_stream())
        with self._runtime.stream(self._stream):
            self._host.copy_(buffer.reshape(-1), non_blocking=True)
            self._arrived.record(self._stream)

    def values(self, buffer: torch.Tensor) -> torch.Tensor:
        self._arrived.synchronize()
        return self._wide.values(self._host)

    def finish(self, values: torch.Tensor, buffer: torch.Tensor) -> ContextManager[Any]:
        self._wide.finish(values, self._host)
        with self._runtime.stream(self._stream):
            buffer.copy_(self._host.view_as(buffer), non_blocking=True)
        return self._runtime.stream(self._stream)


_makers: dict[str, Callable[[torch.device], Staging]] = {
    "cpu": lambda _device: HostStaging(),
    "cuda": lambda device: PinnedStaging(torch.get_device_module(device)),
}


def register(device_type: str, make: Callable[[torch.device], Staging]) -> None:
    """Gradients on devices of this type go through make(device), an object for each bucket."""
    _makers[device_type] = make


def supported(buffer: torch.Tensor) -> bool:
    return (buffer.dtype in DTYPES and buffer.device.type in _makers
            and buffer.layout == torch.strided)


def described(buffer: torch.Tensor) -> str:
    """For a message about what is not supported."""
    kind = "" if buffer.layout == torch.strided else "sparse "
    return f"{kind}{buffer.dtype} on {buffer.device}"


def create(device: torch.device) -> Staging:
    return _makers[device.type](device)
