# SPDX-License-Identifier: Apache-2.0
"""What optinc_torch.run puts into a program: models that it makes get a switch, and processes that
it starts do the same."""

import argparse
import functools
import multiprocessing.process
import os
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Callable, MutableMapping, Optional, Sequence, Union
from weakref import WeakKeyDictionary, finalize

import torch.distributed as dist
import torch.distributed.fsdp
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from optinc_torch.design import Design
from optinc_torch.errors import Error
from optinc_torch.fsdp import ReduceScatter
from optinc_torch.hook import State, hook
from optinc_torch.statistics import Statistics

PORTS_MAX = 64  # of a design that is made here
# Whose processes are no ranks: pools, servers, loaders of data.
_HELPERS = ("multiprocessing", "concurrent", "torch")
_RANKS = "torch.multiprocessing.spawn"


@dataclass
class Model:
    """What averages a model's gradients; no state: not the switch, for a reason."""

    name: str
    state: Union[State, ReduceScatter, None]
    reason: str = ""
    registered: bool = False
    statistics: Optional[Statistics] = None  # of a model that the program has dropped


@dataclass
class Job:
    """The models of the program, and how their gradients are to travel."""

    options: argparse.Namespace
    models: list[Model] = field(default_factory=list)
    of_ddp: MutableMapping[DistributedDataParallel, Model] = field(
        default_factory=WeakKeyDictionary)
    of_group: dict[dist.ProcessGroup, Model] = field(default_factory=dict)  # FSDP2's
    constructed: dict[int, Design] = field(default_factory=dict)  # by its ports
    rank: Optional[int] = None  # of the models seen
    children: int = 0  # processes started that may be ranks

    def load(self, ranks: int) -> Union[Design, str]:
        return self.options.design or _constructed(self.constructed, ranks, self.options.bits)

    def switch(self, ranks: int) -> dict[str, Any]:
        """The arguments that State and ReduceScatter share."""
        options = self.options
        return {"design": self.load(ranks), "bits": options.bits, "rounding": options.rounding,
                "seed": options.seed, "block_size": options.block_size,
                "threads": options.threads, "timeout_s": options.timeout}


def _constructed(made: dict[int, Design], ranks: int, bits: Optional[int]) -> Design:
    if ranks > PORTS_MAX:
        raise Error(f"{ranks} ranks need a design file: optinc design --servers {ranks} "
                    "--method constructed -o FILE, then --design FILE")
    ports = 2
    while ports < ranks:
        ports *= 2
    if ports not in made:
        made[ports] = Design.construct(ports, bits or 8)
    return made[ports]


def _group_of(model: DistributedDataParallel) -> Optional[dist.ProcessGroup]:
    return None if model.process_group == dist.group.WORLD else model.process_group


def _admit(job: Job, model: DistributedDataParallel) -> None:
    """Makes the state of a new model; collective over its ranks, as the model's constructor is."""
    name, ranks = type(model.module).__name__, model.process_group.size()
    job.rank = dist.get_rank()
    name = f"DistributedDataParallel {len(job.models) + 1}, {name}, {ranks} ranks"
    if ranks == 1:
        admitted = Model(name, None, "has one rank")
    elif model.mixed_precision is not None:
        admitted = Model(name, None, "has PyTorch's hook for mixed precision")
    else:
        options = job.options
        admitted = Model(name, State(
            **job.switch(ranks), error_feedback=options.error_feedback,
            warm_up_steps=options.warm_up_steps, exclude=_fitting(options.exclude, name, model),
            module=model.module, measure_every=options.measure_every,
            process_group=_group_of(model)))
    job.models.append(admitted)
    job.of_ddp[model] = admitted
    finalize(model, _retire, admitted).atexit = False


def _fitting(patterns: Sequence[str], name: str, model: DistributedDataParallel) -> list[str]:
    """Those that fit a parameter: of a program's models some may have none that is meant."""
    names = [parameter for parameter, _ in model.module.named_parameters()]
    fitting = [p for p in patterns if any(fnmatchcase(parameter, p) for parameter in names)]
    for pattern in patterns:
        if pattern not in fitting and model.process_group.rank() == 0:
            print(f"optinc: {name}: --exclude {pattern!r} fits no parameter", file=sys.stderr)
    return fitting


def _retire(model: Model) -> None:
    """Of a DistributedDataParallel that is no more the figures stay, not the threads and buffers."""
    if isinstance(model.state, State):
        model.statistics = model.state.take_statistics()
        model.state.close()
        model.state = None


def _leave(job: Job, model: DistributedDataParallel) -> None:
    """The program has a hook of its own."""
    known = job.of_ddp.get(model)
    if known is not None and isinstance(known.state, State) and not known.registered:
        known.state.close()
        known.state, known.reason = None, "has the program's own hook"


def _wrapped(original: Callable[..., Any], before: Optional[Callable[..., None]] = None,
             after: Optional[Callable[..., None]] = None) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        if before is not None:
            before(self)
        result = original(self, *arguments, **named)
        if after is not None:
            after(self)
        return result

    return call


def _take_over_ddp(job: Job) -> None:
    """The hook is registered at the first forward pass: until then the program may register its
    own."""
    register = DistributedDataParallel.register_comm_hook

    def start(model: DistributedDataParallel) -> None:
        known = job.of_ddp.get(model)
        if known is not None and isinstance(known.state, State) and not known.registered:
            known.registered = True
            register(model, known.state, hook)

    kind: Any = DistributedDataParallel
    kind.__init__ = _wrapped(kind.__init__, after=functools.partial(_admit, job))
    kind.forward = _wrapped(kind.forward, before=start)
    for name in ("register_comm_hook", "_register_builtin_comm_hook"):
        setattr(kind, name, _wrapped(getattr(kind, name), before=functools.partial(_leave, job)))


def _take_over_fsdp(job: Job) -> None:
    original = torch.distributed.fsdp.fully_shard

    @functools.wraps(original)
    def fully_shard(module: Any, *arguments: Any, **named: Any) -> Any:
        sharded = original(module, *arguments, **named)
        mesh = named.get("mesh")
        group = dist.group.WORLD if mesh is None else mesh.get_group(mesh.ndim - 1)
        for part in module if isinstance(module, (list, tuple)) else [module]:
            if isinstance(part, FSDPModule) and group.size() > 1:
                _scatter(job, group, part)
        return sharded

    torch.distributed.fsdp.fully_shard = fully_shard


def _scatter(job: Job, group: dist.ProcessGroup, part: FSDPModule) -> None:
    """One switch serves all modules of a group of ranks."""
    job.rank = dist.get_rank()
    if group not in job.of_group:
        switch = ReduceScatter(**job.switch(group.size()),
                               process_group=None if group == dist.group.WORLD else group)
        job.of_group[group] = Model(f"fully_shard, {group.size()} ranks", switch)
        job.models.append(job.of_group[group])
    part.set_custom_reduce_scatter(job.of_group[group].state)


def _report(model: Model) -> None:
    def say(text: str) -> None:
        print(f"optinc: {text}", file=sys.stderr)

    found = model.statistics
    if found is None and model.state is None:
        say(f"{model.name}: not through the switch, as it {model.reason}")
        return
    found = found or model.state.take_statistics()
    say(model.name)
    say(f"{'  elements through the switch':40}{found.elements:>20,}")
    if found.elements_full_precision:
        say(f"{'  elements averaged in float32':40}{found.elements_full_precision:>20,}")
    say(f"{'  sent by rank 0, bytes':40}{found.bytes_sent:>20,}")
    total = found.elements + found.elements_full_precision
    if total:
        say(f"{'  of it per element':40}{found.bytes_sent / total:>20.4f}")
        say(f"{'  largest bound of a gradient error':40}{found.error_bound_max:>20.4g}")
    if found.measured is not None:
        say(f"{'  largest error measured':40}{found.measured.error_max:>20.4g}")


def _take_over_processes(job: Job) -> None:
    """torch.multiprocessing.spawn and Process: a child runs its function as this process runs the
    program."""

    def start(process: multiprocessing.process.BaseProcess) -> None:
        target: Any = process._target  # type: ignore[attr-defined]
        origin = getattr(target, "__module__", None) or ""
        if origin == _RANKS or target and origin.partition(".")[0] not in _HELPERS:
            job.children += 1
            process._target = Child(job.options, target)  # type: ignore[attr-defined]

    kind: Any = multiprocessing.process.BaseProcess
    kind.start = _wrapped(kind.start, before=start)


def take_over_copies(path: Path, module: Optional[str], prefix: Sequence[str]) -> None:
    """A Python that is started with the program's path, or with -m and its name if it is a module,
    gets `prefix` before it: Lightning starts its ranks so."""
    original, path = subprocess.Popen.__init__, path.resolve()

    def is_program(words: Sequence[Any]) -> bool:
        if len(words) > 1 and words[0] == "-m":
            return words[1] == module
        return len(words) > 0 and Path(os.fsdecode(words[0])).resolve() == path

    @functools.wraps(original)
    def start(self: subprocess.Popen, args: Any, *others: Any, **named: Any) -> None:
        if isinstance(args, (list, tuple)) and args and args[0] == sys.executable and is_program(
                args[1:]):
            args = [args[0], *prefix, *args[1:]]
        original(self, args, *others, **named)

    kind: Any = subprocess.Popen
    kind.__init__ = start


class Child:
    """What a process runs in place of `function`. Goes to it by pickling."""

    def __init__(self, options: argparse.Namespace, function: Callable[..., None]) -> None:
        self._options, self._function = options, function

    def __call__(self, *arguments: Any, **named: Any) -> None:
        job = take_over(self._options)
        try:
            self._function(*arguments, **named)
        except SystemExit as end:
            if not end.code:
                finish(job, is_child=True)
            raise
        finish(job, is_child=True)


_current: Optional[Job] = None  # of this process: PyTorch is taken over once


def take_over(options: argparse.Namespace) -> Job:
    """From now on models of this process get a switch."""
    global _current
    if _current is None:
        _current = Job(options)
        _take_over_ddp(_current)
        _take_over_fsdp(_current)
        _take_over_processes(_current)
    else:  # a forked process has its parent's
        _current.models, _current.children = [], 0
    return _current


def finish(job: Job, is_child: bool = False) -> None:
    """What there is to report, and the end of the switches. Not after an exception: their lanes may
    wait for ranks which wait for this one."""
    rank = job.rank if job.rank is not None else int(os.environ.get("RANK", "0"))
    if rank == 0 and not job.options.quiet:
        for model in job.models:
            _report(model)
        if not job.models and not is_child:
            print("optinc: no DistributedDataParallel or fully_shard was made"
                  + (f" by this process; the {job.children} that it started report theirs"
                     if job.children else ": nothing went through the switch"), file=sys.stderr)
    for model in job.models:
        if model.state is not None:
            model.state.close()
