# SPDX-License-Identifier: Apache-2.0
"""torch.distributed as the library's transport."""

import ctypes
from typing import Any, Callable, Optional

import torch
import torch.distributed as dist

from optinc_torch import _abi


def _bytes_at(address: int, count: int) -> torch.Tensor:
    """The memory at `address` as a tensor of bytes; borrowed, not copied."""
    return torch.frombuffer((ctypes.c_uint8 * count).from_address(address), dtype=torch.uint8)


class TorchTransport:
    """Brings a process group to the library as its `optinc_transport`.

    The group should be the library's own: operations of a group match by their order, and those of
    the library come from another thread than the program's. An operation that fails leaves its
    exception in `error`; the library then ends the collective with OPTINC_ERR_TRANSPORT or
    _TIMEOUT.
    """

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group
        self._slots: list[list[Any]] = [[] for _ in range(_abi.SLOTS)]
        self.error: Optional[BaseException] = None
        # The C struct points to these; they must live as long as it does.
        self._callbacks = {
            "start_alltoall": _abi.StartAlltoall(self._start_alltoall),
            "start_allgather": _abi.StartAllgather(self._start_allgather),
            "start_max": _abi.StartMax(self._start_max),
            "start_sendrecv": _abi.StartSendrecv(self._start_sendrecv),
            "wait": _abi.Wait(self._wait),
        }
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        self.struct = _abi.Transport(user=None, rank=self.rank, size=self.size, **self._callbacks)

    def _guarded(self, function: Callable[[], None]) -> int:
        """A status in place of an exception: none may pass through the library's frames."""
        try:
            function()
            return _abi.STATUS_OK
        except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt as well must not be lost
            self.error = error
            timed_out = "timed out" in str(error).lower()
            return _abi.STATUS_TIMEOUT if timed_out else _abi.STATUS_TRANSPORT

    def _start_alltoall(self, _user: int, slot: int, send: int, recv: int, size: int) -> int:
        def start() -> None:
            if size:
                source, target = (_bytes_at(a, self.size * size) for a in (send, recv))
                self._slots[slot].append(
                    dist.all_to_all_single(target, source, group=self._group, async_op=True))
        return self._guarded(start)

    def _start_allgather(self, _user: int, slot: int, send: int, recv: int, size: int) -> int:
        def start() -> None:
            if size:
                source, target = _bytes_at(send, size), _bytes_at(recv, self.size * size)
                self._slots[slot].append(
                    dist.all_gather_into_tensor(target, source, group=self._group, async_op=True))
        return self._guarded(start)

    def _start_max(self, _user: int, slot: int, data: int, size: int) -> int:
        def start() -> None:
            if size:
                self._slots[slot].append(
                    dist.all_reduce(_bytes_at(data, size), op=dist.ReduceOp.MAX, group=self._group,
                                    async_op=True))
        return self._guarded(start)

    def _start_sendrecv(self, _user: int, slot: int, send: int, to: int, recv: int, source: int,
                        size: int) -> int:
        def start() -> None:
            if size:
                group = self._group
                target_rank, source_rank = (dist.get_global_rank(group, r) for r in (to, source))
                self._slots[slot].append(
                    dist.isend(_bytes_at(send, size), target_rank, group=group, tag=slot))
                self._slots[slot].append(
                    dist.irecv(_bytes_at(recv, size), source_rank, group=group, tag=slot))
        return self._guarded(start)

    def _wait(self, _user: int, slot: int) -> int:
        def wait() -> None:
            works = self._slots[slot]
            while works:
                works[0].wait()
                works.pop(0)
        return self._guarded(wait)
