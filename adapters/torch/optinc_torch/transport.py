# SPDX-License-Identifier: Apache-2.0
"""torch.distributed as the library's transport."""

import ctypes
from typing import Any, Callable, NamedTuple, Optional

import torch
import torch.distributed as dist

from optinc_torch import _abi


# Up to this many ranks a byte-wise maximum is taken by everybody from everybody's bytes, in one
# step; they are one of 256 of the data's. Beyond, by Gloo's own all-reduce.
_MAX_PAIRWISE_RANKS = 16


_PLANS_MAX = 256


class _Plan(NamedTuple):
    """Views of the memory of an exchange."""

    receives: list[Any]
    sends: list[Any]
    source: torch.Tensor  # this rank's own, and where it goes
    target: torch.Tensor


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
        self._group: Any = group
        self._slots: list[list[Any]] = [[] for _ in range(_abi.SLOTS)]
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        self._maxima: dict[int, _Plan] = {}
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

    def release(self) -> None:
        """Lets go of the group; nothing more can be sent. The callbacks make a cycle of this object,
        so that the group would else live until Python looks for cycles, at the latest when it ends."""
        self._group = None
        self._plans.clear()
        self._maxima.clear()

    def _guarded(self, function: Callable[[], None]) -> int:
        """A status in place of an exception: none may pass through the library's frames."""
        try:
            function()
            return _abi.STATUS_OK
        except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt as well must not be lost
            self.error = error
            timed_out = "timed out" in str(error).lower()
            return _abi.STATUS_TIMEOUT if timed_out else _abi.STATUS_TRANSPORT

    def _plan(self, key: tuple[Any, ...], make: Callable[[], "_Plan"]) -> "_Plan":
        """Kept for the next operation on the same memory: the library uses its buffers again, and
        making views took longer than sending them."""
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= _PLANS_MAX:
                self._plans.clear()
            found = self._plans[key] = make()
        return found

    def _pairs(self, outgoing: Callable[[int], torch.Tensor],
               incoming: Callable[[int], torch.Tensor]) -> tuple[list[Any], list[Any]]:
        """([message], its rank) of every other rank, to receive and to send."""
        others = range(1, self.size)
        sources = [(self.rank - distance) % self.size for distance in others]
        targets = [(self.rank + distance) % self.size for distance in others]
        return ([([incoming(rank)], rank) for rank in sources],
                [([outgoing(rank)], rank) for rank in targets])

    def _pairwise(self, slot: int, plan: "_Plan") -> None:
        """One message to and from every other rank. The tag is the slot: a slot has one operation
        at a time, so a pair's messages of one tag match by their order. Receives are announced
        first, for Gloo sends nothing before the other side is ready."""
        works, receive, send = self._slots[slot], self._group.recv, self._group.send
        for message, rank in plan.receives:
            works.append(receive(message, rank, slot))
        for message, rank in plan.sends:
            works.append(send(message, rank, slot))

    def _plan_alltoall(self, send: int, recv: int, size: int) -> "_Plan":
        source, target = (_bytes_at(a, self.size * size).view(self.size, size)
                          for a in (send, recv))
        return _Plan(*self._pairs(lambda rank: source[rank], lambda rank: target[rank]),
                     source[self.rank], target[self.rank])

    def _plan_allgather(self, send: int, recv: int, size: int) -> "_Plan":
        source, target = _bytes_at(send, size), _bytes_at(recv, self.size * size).view(self.size,
                                                                                       size)
        return _Plan(*self._pairs(lambda _rank: source, lambda rank: target[rank]), source,
                     target[self.rank])

    def _plan_max(self, data: int, size: int) -> "_Plan":
        values, others = _bytes_at(data, size), torch.empty((self.size, size), dtype=torch.uint8)
        return _Plan(*self._pairs(lambda _rank: values, lambda rank: others[rank]), values, others)

    def _start_alltoall(self, _user: int, slot: int, send: int, recv: int, size: int) -> int:
        def start() -> None:
            if size:
                plan = self._plan((0, send, recv, size),
                                  lambda: self._plan_alltoall(send, recv, size))
                self._pairwise(slot, plan)
                plan.target.copy_(plan.source)
        return self._guarded(start)

    def _start_allgather(self, _user: int, slot: int, send: int, recv: int, size: int) -> int:
        def start() -> None:
            if size:
                plan = self._plan((1, send, recv, size),
                                  lambda: self._plan_allgather(send, recv, size))
                self._pairwise(slot, plan)
                plan.target.copy_(plan.source)
        return self._guarded(start)

    def _start_max(self, _user: int, slot: int, data: int, size: int) -> int:
        def start() -> None:
            if size and self.size > _MAX_PAIRWISE_RANKS:
                self._slots[slot].append(
                    self._group.allreduce([_bytes_at(data, size)], dist.ReduceOp.MAX))
            elif size and self.size > 1:
                plan = self._plan((2, data, size), lambda: self._plan_max(data, size))
                self._pairwise(slot, plan)
                self._maxima[slot] = plan
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
            for work in works:
                work.wait()
            works.clear()
            if slot in self._maxima:
                plan = self._maxima.pop(slot)
                for message, _ in plan.receives:
                    torch.maximum(plan.source, message[0], out=plan.source)
        return self._guarded(wait)
