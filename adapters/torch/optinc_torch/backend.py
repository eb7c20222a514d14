# SPDX-License-Identifier: Apache-2.0
"""The backend "optinc" of torch.distributed: a process group over Gloo whose float sums go through
the switch.

    import optinc_torch.backend
    dist.init_process_group("cpu:optinc")      # or torchrun with OPTINC_DESIGN set

Importing this module registers it. SUM and AVG of float32, bfloat16 and float16 of at least
OPTINC_MIN_BYTES are reduced by the switch, everything else is Gloo's. Settings come from the
environment, with the names of the MPI adapter.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Mapping, Optional

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import AllreduceOptions

from optinc_torch.errors import Error
from optinc_torch.lanes import Lane, Lanes, SwitchOptions
from optinc_torch.staging import DTYPES, HostStaging
from optinc_torch.statistics import Recorder, Statistics

NAME = "optinc"
MIN_BYTES_DEFAULT = 1 << 18


def _number(environment: Mapping[str, str], name: str, default: int, low: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < low:
        raise Error(f"{name}={text}: a whole number of at least {low} was expected")
    return int(text)


@dataclass(frozen=True)
class Settings:
    """OPTINC_DESIGN, _BITS, _MIN_BYTES, _BLOCK_SIZE, _CHUNK, _THREADS, _LANES."""

    design: str
    bits: Optional[int]
    min_bytes: int
    block_size: int
    chunk_elements: int
    threads: int
    lanes: int

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        if not environment.get("OPTINC_DESIGN"):
            raise Error("the backend optinc needs OPTINC_DESIGN, the path of a design file "
                        "(optinc design --servers N --bits B --method constructed -o FILE)")

        def number(name: str, default: int, low: int) -> int:
            return _number(environment, f"OPTINC_{name}", default, low)

        return cls(environment["OPTINC_DESIGN"], number("BITS", 0, 2) or None,
                   number("MIN_BYTES", MIN_BYTES_DEFAULT, 0), number("BLOCK_SIZE", 256, 1),
                   number("CHUNK", 0, 0), number("THREADS", 1, 1), number("LANES", 2, 1))


class _SwitchWork(dist.Work):
    """A future as a work. PyTorch's own wrapper of this kind swallows exceptions in wait."""

    def __init__(self, future: torch.futures.Future) -> None:
        super().__init__()
        self._future = future

    def wait(self, timeout: timedelta = timedelta(0)) -> bool:
        """The group's time limit holds, whatever `timeout` says."""
        self._future.wait()
        return True

    def get_future(self) -> torch.futures.Future:
        return self._future

    def is_completed(self) -> bool:
        return self._future.done()


class ProcessGroupOptINC(dist.ProcessGroup):
    """What init_process_group and new_group return for this backend."""

    def __init__(self, store: dist.Store, rank: int, size: int, timeout: timedelta) -> None:
        super().__init__(rank, size)
        self._settings = Settings.read()
        self.passed_through = 0  # all-reduces that were Gloo's
        self._recorder = Recorder()
        gloo = dist.ProcessGroupGloo(dist.PrefixStore("gloo/", store), rank, size, timeout)
        gloo._set_sequence_number_for_group()
        # The base class dispatches to Gloo what is not overridden. What PyTorch lets Python override
        # goes through a group of its own: the base class would hold the GIL while it waits for a
        # lock of Gloo's, whose holder may need the GIL to free Python objects.
        self._inner = dist.ProcessGroup(rank, size)
        for group in (self, self._inner):
            group._set_default_backend(dist.ProcessGroup.BackendType.GLOO)
            group._register_backend(torch.device("cpu"), dist.ProcessGroup.BackendType.GLOO, gloo)
        self._lanes = Lanes(
            SwitchOptions(self._settings.design, self._settings.bits,
                          block_size=self._settings.block_size,
                          chunk_elements=self._settings.chunk_elements,
                          threads=self._settings.threads),
            [dist.ProcessGroupGloo(dist.PrefixStore(f"lane{i}/", store), rank, size, timeout)
             for i in range(self._settings.lanes)])

    def getBackendName(self) -> str:  # noqa: N802 - the name is PyTorch's
        return NAME

    def _qualifies(self, tensor: torch.Tensor, op: Any) -> bool:
        # ReduceOp's own == is wanted, so `in` would be wrong: it asks the other side
        return ((op == dist.ReduceOp.SUM or op == dist.ReduceOp.AVG)  # noqa: PLR1714
                and tensor.dtype in DTYPES and tensor.device.type == "cpu"
                and tensor.layout == torch.strided
                and tensor.numel() * tensor.element_size() >= self._settings.min_bytes)

    def allreduce(self, tensors: list[torch.Tensor], opts: Any = None) -> dist.Work:
        op = opts.reduceOp if opts is not None else dist.ReduceOp.SUM
        if len(tensors) == 1 and self._qualifies(tensors[0], op):
            if any(step == 0 and count > 1
                   for step, count in zip(tensors[0].stride(), tensors[0].shape)):
                raise Error("all_reduce of an expanded tensor, whose elements share memory: clone "
                            "it first")
            return _SwitchWork(self._lanes.submit(
                lambda lane, future: self._switch(tensors, op, lane, future)))
        self.passed_through += 1
        return self._inner.allreduce(tensors, opts or AllreduceOptions())

    def _switch(self, tensors: list[torch.Tensor], op: Any, lane: Lane,
                future: torch.futures.Future) -> None:
        stage, tensor = HostStaging(), tensors[0]
        values = stage.values(tensor)
        self._recorder.add(lane.collective.allreduce(
            values, values, op="sum" if op == dist.ReduceOp.SUM else "mean"))
        with stage.finish(values, tensor):
            future.set_result(tensors)

    def take_statistics(self) -> Statistics:
        """Of the switched all-reduces since the last call."""
        return self._recorder.take()

    def shutdown(self) -> None:
        """Called by destroy_process_group."""
        self._lanes.close()
        super().shutdown()


def _forward(name: str) -> Any:
    def call(self: ProcessGroupOptINC, *arguments: Any, **options: Any) -> dist.Work:
        return getattr(self._inner, name)(*arguments, **options)

    call.__name__ = name
    return call


for _name in ("allgather", "allgather_into_tensor_coalesced", "allreduce_coalesced",
              "alltoall_base", "barrier", "broadcast", "reduce_scatter",
              "reduce_scatter_tensor_coalesced", "send", "recv"):
    setattr(ProcessGroupOptINC, _name, _forward(_name))

if NAME not in dist.Backend.backend_list:
    dist.Backend.register_backend(NAME, ProcessGroupOptINC, devices=["cpu"])
