# SPDX-License-Identifier: Apache-2.0
"""FSDP2 (torch.distributed.fsdp.fully_shard) through the switch, by its own extension points.

    model = fully_shard(model)                      # the modules inside it first, as ever
    switch = optinc_torch.fsdp.attach(model, design="switch.safetensors")

Every module's gradients go through set_custom_reduce_scatter. Each rank is the switch for its own
shard, so codes travel and results do not: (K-1)/K bytes an element at 8 bits, where a float32
reduce-scatter sends 4 (K-1)/K.
"""

import os
from typing import Any, Optional, Sequence, Union

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule

from optinc_torch import staging
from optinc_torch.design import Design
from optinc_torch.errors import Error
from optinc_torch.hook import new_groups
from optinc_torch.lanes import Lane, Lanes, SwitchOptions
from optinc_torch.statistics import Recorder, Statistics


class ReduceScatter:
    """What FSDPModule.set_custom_reduce_scatter takes. Making one is collective over
    `process_group` (None: the default group), which must be the one that shards the model.

    The arguments are those of State. There is no error feedback: a rank keeps its shard of the
    gradient alone.
    """

    def __init__(self, design: Union[str, os.PathLike, Design], *,
                 process_group: Optional[dist.ProcessGroup] = None, timeout_s: float = 300.0,
                 **options: Any) -> None:
        self._lanes = Lanes(SwitchOptions(design, **options),
                            new_groups(1, process_group, timeout_s))
        self._stagings: dict[tuple[int, torch.dtype, torch.device], staging.Staging] = {}
        self._recorder = Recorder()
        self._calls = 0

    def allocate(self, size: Sequence[Union[int, torch.SymInt]], *, dtype: torch.dtype,
                 device: torch.device) -> torch.Tensor:
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(self, output_tensor: torch.Tensor, input_tensor: torch.Tensor,
                 group: dist.ProcessGroup, op: Any, async_op: bool = False) -> None:
        """The mean or sum of `input_tensor` [K * shard], of which this rank's shard goes into
        `output_tensor`. Returns when it is there, whatever async_op says: FSDP awaits no work."""
        if group.size() != self._lanes.ranks:
            raise Error(f"a group of {group.size()} ranks, but the switch was made for "
                        f"{self._lanes.ranks}")
        if not staging.supported(input_tensor):
            raise Error("gradients in float32, bfloat16 or float16 on the CPU or a CUDA device "
                        f"were expected, not {staging.described(input_tensor)}")
        if op == dist.ReduceOp.AVG:
            operation = "mean"
        elif op == dist.ReduceOp.SUM:
            operation = "sum"
        else:
            raise Error(f"reduce-scatter with {op}: SUM or AVG was expected")
        key = (input_tensor.numel(), input_tensor.dtype, input_tensor.device)
        stage = self._stagings.setdefault(key, staging.create(input_tensor.device))
        step, self._calls = self._calls, self._calls + 1
        first = group.rank() * output_tensor.numel()

        def job(lane: Lane, future: torch.futures.Future) -> None:
            values = stage.values(input_tensor).view(-1)
            shard = values[first:first + output_tensor.numel()]
            self._recorder.add(lane.collective.reduce_scatter(values, shard, op=operation,
                                                              step=step))
            with stage.finish(values, input_tensor):
                output_tensor.copy_(input_tensor[first:first + output_tensor.numel()])
                future.set_result(output_tensor)

        stage.begin(input_tensor)
        self._lanes.submit(job, () if input_tensor.device.type == "cpu"
                           else (input_tensor.device,)).wait()

    def take_statistics(self) -> Statistics:
        """What happened since the last call; to be called between steps."""
        return self._recorder.take()

    def close(self) -> None:
        """Ends the thread and frees the switch; safe twice. Not collective."""
        self._lanes.close()


def attach(model: nn.Module, design: Union[str, os.PathLike, Design],
           **options: Any) -> ReduceScatter:
    """Sends the gradients of every fully_shard'ed module in `model` through one switch. Collective
    over `process_group`, an option as all of ReduceScatter's."""
    modules = [module for module in model.modules() if isinstance(module, FSDPModule)]
    if not modules:
        raise Error("no module of the model is sharded: call fully_shard first")
    comm = ReduceScatter(design, **options)
    for module in modules:
        module.set_custom_reduce_scatter(comm)
    return comm
