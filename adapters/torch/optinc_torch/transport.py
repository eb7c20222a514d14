# SPDX-License-Identifier: Apache-2.0
"""torch.distributed as the library's transport."""

import ctypes
from typing import Any, Callable, Optional

import torch
import torch.distributed as dist

from optinc_torch import _abi


# Up to this many ranks a byte-wise maximum is taken by everybody from everybody's bytes, in one
# step; they are one of 256 of the data's. Beyond, by Gloo's own all-reduce.
_MAX_PAIRWISE_RANKS = 16


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
        self._maxima: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.error: Optional[BaseException] = None
        # The C struct points to these; they must live as long as it does.
        self._callbacks = {
            "start_alltoall": _abi.StartAlltoall(self._start_alltoall),
            "start_allgather": _abi.StartAllgather(self._start_allgather),
            "start_max": _abi.StartMax(self._start_max),
            "start_sendrecv": _abi.StartSendrecv(self._start_sendrecv),
            "wait": _abi.Wait(self._wait),
        }
        self.rank, self.size = group.rank(), group.size()
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

    def _pairwise(self, slot: int, size: int, outgoing: Callable[[int], torch.Tensor],
                  incoming: Callable[[int], torch.Tensor]) -> None:
        """One message of `size` bytes to and from every other rank. The tag is the slot: a slot has
        one operation at a time, so a pair's messages of one tag match by their order. Receives are
        announced first, for Gloo sends nothing before the other side is ready."""
        works = self._slots[slot]
        for distance in range(1, self.size):
            source = (self.rank - distance) % self.size
            works.append(self._group.recv([incoming(source)], source, slot))
        for distance in range(1, self.size):
            target = (self.rank + distance) % self.size
            works.append(self._group.send([outgoing(target)], target, slot))

    def _start_alltoall(self, _user: int, slot: int, send: int, recv: int, size: int) -> int:
        def start() -> None:
            if size:
                source, target = (_bytes_at(a, self.size * size) for a in (send, recv))
                self._pairwise(slot, size, lambda rank: source[rank * size:(rank + 1) * size],
                               lambda rank: target[rank * size:(rank + 1) * size])
                own = slice(self.rank * size, (self.rank + 1) * size)
                target[own] = source[own]
        return self._guarded(start)

    def _start_allgather(self, _user: int, slot: int, send: int, recv: int, size: int) -> int:
        def start() -> None:
            if size:
                source, target = _bytes_at(send, size), _bytes_at(recv, self.size * size)
                self._pairwise(slot, size, lambda _rank: source,
                               lambda rank: target[rank * size:(rank + 1) * size])
                target[self.rank * size:(self.rank + 1) * size] = source
        return self._guarded(start)

    def _start_max(self, _user: int, slot: int, data: int, size: int) -> int:
        def start() -> None:
            if size and self.size > _MAX_PAIRWISE_RANKS:
                self._slots[slot].append(
                    self._group.allreduce([_bytes_at(data, size)], dist.ReduceOp.MAX))
            elif size and self.size > 1:
                values = _bytes_at(data, size)
                others = torch.empty((self.size, size), dtype=torch.uint8)
                others[self.rank] = values
                self._pairwise(slot, size, lambda _rank: values, lambda rank: others[rank])
                self._maxima[slot] = (values, others)
        return self._guarded(start)

    def _start_sendrecv(self, _user: int, slot: int, send: int, to: int, recv: int, source: int,
                        size: int) -> int:
        def start() -> None:
            if size:
                self._slots[slot] += [
                    self._group.recv([_bytes_at(recv, size)], source, slot),
                    self._group.send([_bytes_at(send, size)], to, slot)]
        return self._guarded(start)

    def _wait(self, _user: int, slot: int) -> int:
        def wait() -> None:
            works = self._slots[slot]
            while works:
                works[0].wait()
                works.pop(0)
            if slot in self._maxima:
                values, others = self._maxima.pop(slot)
                torch.amax(others, dim=0, out=values)
        return self._guarded(wait)
