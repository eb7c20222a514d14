# SPDX-License-Identifier: Apache-2.0
"""The communication hook of DistributedDataParallel."""

import datetime
import functools
import os
import time
from typing import Any, Iterable, Optional, Sequence, Union

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import _get_default_store
from torch.nn.parallel import DistributedDataParallel

from optinc_torch import staging
from optinc_torch.design import Design
from optinc_torch.errors import Error
from optinc_torch.feedback import FeedbackStore
from optinc_torch.lanes import Lane, Lanes, SwitchOptions
from optinc_torch.photonic import Photonic
from optinc_torch.selection import Plan, Selection
from optinc_torch.statistics import Recorder, Statistics

LANES_DEFAULT = 2
# Elements that share a scale. Less than the library's 256: against one large element fewer lose
# their resolution, for 1.2 % more bytes at 8 bits (docs/evaluation.md).
BLOCK_SIZE_DEFAULT = 64
TIMEOUT_MAX_S = 1e8  # three years; infinity does not fit in a timedelta
_BUCKETS_MAX = 1 << 16  # a step's buckets have random streams of their own: step * 2^16 + bucket


def new_groups(count: int, process_group: Optional[dist.ProcessGroup],
               timeout_s: float) -> list[dist.ProcessGroupGloo]:
    """Gloo groups of the ranks of `process_group` (None: the default group). Collective over it.

    PyTorch does not know them, so that they end with their last reference; its new_group would keep
    them, and destroying one could change the names of the program's own.
    """
    if not 0 < timeout_s <= TIMEOUT_MAX_S:
        raise ValueError(f"timeout_s {timeout_s}: seconds above 0 were expected")
    ranks = tuple(dist.get_process_group_ranks(process_group or dist.group.WORLD))
    store = dist.PrefixStore(f"optinc/{'_'.join(map(str, ranks))}/", _get_default_store())
    # Each call is a name of its own, also where the store outlives the processes, as torchrun's does
    # when it starts them again.
    call = (store.add("arrivals", 1) - 1) // len(ranks)
    store = dist.PrefixStore(f"{call}/", store)
    _meet(store, ranks, timeout_s)
    return [dist.ProcessGroupGloo(dist.PrefixStore(f"{i}/", store), ranks.index(dist.get_rank()),
                                  len(ranks), datetime.timedelta(seconds=timeout_s))
            for i in range(count)]


def _meet(store: dist.Store, ranks: Sequence[int], timeout_s: float) -> None:
    """Waits for all ranks; Gloo would not say which of them do not come."""
    store.set(f"rank {dist.get_rank()}", "")
    try:
        store.wait([f"rank {rank}" for rank in ranks], datetime.timedelta(seconds=timeout_s))
    except RuntimeError as error:
        missing = [str(rank) for rank in ranks if not store.check([f"rank {rank}"])]
        if not missing:
            raise
        raise Error(f"waited {timeout_s:g} s for rank {', '.join(missing)}, which came to no "
                    "switch: every rank must go through it (under optinc_torch.run: torchrun starts "
                    "them all, or the program itself from Python)") from error


class State:
    """State of the hook: the switch, its lanes, error feedback and statistics.

    Making one is collective over `process_group` (None: the default group), which should be the
    model's own; the library talks over new Gloo groups of the same ranks, so the program's own
    collectives and the hook's never mix. Ranks whose designs or options differ all raise Error.

    Models may share one, if they have the same ranks; their steps are then counted together, and
    exclude and state_dict, which go by names, are for one of them.

    design          path of a design file, or a Design; K ranks need K <= its ports
    bits            None, or what the design must have
    error_feedback  add each step's quantisation error to the next step's gradient
    backend         "exact", "table", "onn", "photonic"; None: exact if the design is proved so,
                    else table
    photonic        the backend photonic's chip, faults and calibration; None: an ideal chip
    rounding        "nearest" or "stochastic", of the quantisation; the latter is keyed by `seed`
    block_size      elements that share a scale
    alternate       negate every second element, the others in the next step, so that the bias of
                    the switch's half up does not add up over the steps
    warm_up_steps   that many first steps are averaged in float32, without the switch
    exclude         patterns (fnmatch) of names of parameters whose gradients are averaged in
                    float32 always; needs `module`, the model or what DDP wraps
    measure_every   every so many steps compare with an exact float64 all-reduce; 0: never
    threads         OpenMP threads of quantising and switching, in each lane
    lanes           buckets under way at once: one is quantised while another's codes travel
    timeout_s       after which an operation between the ranks fails instead of waiting on
    """

    def __init__(self, design: Union[str, os.PathLike, Design], *, bits: Optional[int] = None,
                 error_feedback: bool = False, backend: Optional[str] = None,
                 photonic: Optional[Photonic] = None, rounding: str = "nearest", seed: int = 0,
                 block_size: int = BLOCK_SIZE_DEFAULT, alternate: bool = True,
                 chunk_elements: int = 0, threads: int = 1,
                 lanes: int = LANES_DEFAULT, warm_up_steps: int = 0,
                 exclude: Iterable[str] = (), module: Optional[nn.Module] = None,
                 measure_every: int = 0,
                 process_group: Optional[dist.ProcessGroup] = None,
                 timeout_s: float = 300.0) -> None:
        exclude = list(exclude)
        if lanes < 1 or warm_up_steps < 0 or measure_every < 0:
            raise ValueError("lanes of at least 1, warm_up_steps and measure_every of at least 0 "
                             "were expected")
        if exclude and module is None:
            raise ValueError("exclude needs module, for the names of the parameters")
        self._selection = Selection(exclude, _named(module) if module is not None else ())
        self.error_feedback, self.rounding, self.block_size = error_feedback, rounding, block_size
        self.measure_every, self.warm_up_steps = measure_every, warm_up_steps
        self.alternate = alternate
        self._lanes = Lanes(SwitchOptions(design, bits, backend, photonic, rounding, seed,
                                          block_size, chunk_elements, threads),
                            new_groups(lanes, process_group, timeout_s))
        self.design, self.backend = self._lanes.design, self._lanes.backend
        self.photonic = self._lanes.photonic
        self._feedback = FeedbackStore()
        # By the id of a bucket's first parameter: models may share a state, and two of one index be
        # under way at once. The selection's plans keep the ids valid.
        self._stagings: dict[tuple[int, torch.device], staging.Staging] = {}
        self._turns: dict[int, int] = {}  # by the id of a parameter: its reductions until now
        self._recorder = Recorder()
        self._step = 0

    @property
    def excluded(self) -> list[str]:
        """Names of the parameters that do not go through the switch."""
        return list(self._selection.excluded_names)

    def submit(self, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        """Queues a bucket for a lane; what `hook` returns."""
        buffer = bucket.buffer()
        if not staging.supported(buffer):
            raise Error("dense gradients in float32, bfloat16 or float16 on the CPU or a CUDA "
                        f"device were expected, not {staging.described(buffer)}")
        parameters, step = bucket.parameters(), self._step
        key, turn = (id(parameters[0]), buffer.device), self._next_turn(parameters)
        if key not in self._stagings:
            self._stagings[key] = staging.create(buffer.device)
        stage = self._stagings[key]
        plan = self._selection.plan(parameters)
        if step < self.warm_up_steps:
            plan = Plan((), ((0, buffer.numel()),), ())
        feedback = self._feedback.flat(plan.parameters) if self.error_feedback else None
        stage.begin(buffer)
        future = self._lanes.submit(
            functools.partial(self._reduce, buffer, stage, plan, feedback, step, turn,
                              step * _BUCKETS_MAX + bucket.index()),
            () if buffer.device.type == "cpu" else (buffer.device,))
        self._step += bucket.is_last()
        return future

    def _next_turn(self, parameters: Sequence[torch.Tensor]) -> int:
        """The step, but of the model that has these parameters: others may share this state."""
        ids = [id(p) for p in parameters]
        turn = next((self._turns[key] for key in ids if key in self._turns), self._step)
        self._turns.update(dict.fromkeys(ids, turn + 1))
        return turn

    def _reduce(self, buffer: torch.Tensor, stage: staging.Staging, plan: Plan,
                feedback: Optional[torch.Tensor], step: int, turn: int, stream: int, lane: Lane,
                future: torch.futures.Future) -> None:
        """A bucket, on a lane's thread."""
        values = stage.values(buffer)
        if plan.excluded:
            self._reduce_excluded(values, plan, lane)
        if plan.switched:
            measuring = self.measure_every > 0 and step % self.measure_every == 0
            mine = values
            if plan.excluded:
                mine = Plan.gather(plan.switched, values, lane.buffer("switched", sum(
                    count for _, count in plan.switched)))
            self._switch(mine, feedback, turn, stream, measuring, lane)
            if plan.excluded:
                Plan.scatter(plan.switched, mine, values)
        with stage.finish(values, buffer):
            future.set_result(buffer)

    def _switch(self, values: torch.Tensor, feedback: Optional[torch.Tensor], turn: int,
                stream: int, measuring: bool, lane: Lane) -> None:
        exact = self._exact_mean(values, feedback, lane) if measuring else None
        turned = ("even" if turn % 2 else "odd") if self.alternate else None
        report = lane.collective.allreduce(values, values, op="mean", error_feedback=feedback,
                                           step=stream, turn=turned)
        self._recorder.add(report)
        if exact is not None:
            self._recorder.measure(exact, values, report.error_bound_max)

    def _reduce_excluded(self, values: torch.Tensor, plan: Plan, lane: Lane) -> None:
        """The float32 mean, by Gloo."""
        begin, count = time.perf_counter(), sum(count for _, count in plan.excluded)
        part = values
        if plan.switched:
            part = Plan.gather(plan.excluded, values, lane.buffer("excluded", count))
        lane.group.allreduce([part], dist.ReduceOp.SUM).wait()
        part /= self._lanes.ranks
        if plan.switched:
            Plan.scatter(plan.excluded, part, values)
        sent = 2 * (self._lanes.ranks - 1) * values.element_size() * count // self._lanes.ranks
        self._recorder.add_full_precision(count, sent, time.perf_counter() - begin)

    def _exact_mean(self, values: torch.Tensor, feedback: Optional[torch.Tensor],
                    lane: Lane) -> torch.Tensor:
        """float64 mean over the ranks of what is about to be quantised."""
        total = (values if feedback is None else values + feedback).double()
        lane.group.allreduce([total], dist.ReduceOp.SUM).wait()
        return total / self._lanes.ranks

    def take_statistics(self) -> Statistics:
        """What happened since the last call; to be called between steps."""
        return self._recorder.take()

    def reset(self) -> None:
        """Forgets feedback, step count and statistics; to be called between steps."""
        self._feedback.clear()
        self._turns.clear()
        self._step = 0
        self._recorder.take()

    def state_dict(self, module: nn.Module) -> dict[str, Any]:
        """Step count and this rank's error feedback by parameter name (without the prefixes of
        DDP and torch.compile). Each rank has its own."""
        return {"step": self._step, "feedback": self._feedback.state_dict(_named(module))}

    def load_state_dict(self, state: dict[str, Any], module: nn.Module) -> None:
        """Continues where state_dict was taken; ValueError if it is of another model."""
        self._feedback.load_state_dict(state["feedback"], _named(module))
        self._step = int(state["step"])
        self._turns.clear()
        self._recorder.take()

    def close(self) -> None:
        """Ends the lanes' threads and frees the switch; safe twice. Not collective. The design, if
        it was given as a Design, stays the caller's."""
        self._lanes.close()


def _named(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """By the names of the module itself, whichever way it is wrapped or compiled."""
    while (inner := module.module if isinstance(module, DistributedDataParallel)
           else module._modules.get("_orig_mod")) is not None:  # torch.compile's
        module = inner
    return list(module.named_parameters())


def hook(state: State, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """For model.register_comm_hook(state, hook): the mean of the bucket over the ranks, computed by
    the switch. Errors surface as exceptions from backward()."""
    return state.submit(bucket)
