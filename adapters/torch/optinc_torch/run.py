# SPDX-License-Identifier: Apache-2.0
"""Runs a PyTorch program as it is, its gradients through the switch.

    torchrun --nproc-per-node 4 -m optinc_torch.run train.py ARGUMENT...

Every DistributedDataParallel that the program makes gets the communication hook, unless it registers
one of its own, and every module that it shards with fully_shard (FSDP2) the reduce-scatter. Nothing
in the program changes. At its end rank 0 says on stderr what went through the switch.
"""

import argparse
import functools
import importlib.util
import os
import runpy
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Callable, MutableMapping, NoReturn, Optional, Sequence, Union
from weakref import WeakKeyDictionary, finalize

import torch.distributed as dist
import torch.distributed.fsdp
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from optinc_torch.design import Design
from optinc_torch.errors import Error
from optinc_torch.fsdp import ReduceScatter
from optinc_torch.hook import BLOCK_SIZE_DEFAULT, TIMEOUT_MAX_S, State, hook
from optinc_torch.statistics import Statistics

_PORTS_MAX = 64  # of a design that is made here


@dataclass
class _Model:
    """What averages a model's gradients; no state: not the switch, for a reason."""

    name: str
    state: Union[State, ReduceScatter, None]
    reason: str = ""
    registered: bool = False
    statistics: Optional[Statistics] = None  # of a model that the program has dropped


@dataclass
class _Job:
    """The models of the program, and how their gradients are to travel."""

    options: argparse.Namespace
    models: list[_Model] = field(default_factory=list)
    of_ddp: MutableMapping[DistributedDataParallel, _Model] = field(
        default_factory=WeakKeyDictionary)
    of_group: dict[dist.ProcessGroup, _Model] = field(default_factory=dict)  # FSDP2's
    constructed: dict[int, Design] = field(default_factory=dict)  # by its ports

    def load(self, ranks: int) -> Union[Design, str]:
        return self.options.design or _constructed(self.constructed, ranks, self.options.bits)

    def switch(self, ranks: int) -> dict[str, Any]:
        """The arguments that State and ReduceScatter share."""
        options = self.options
        return {"design": self.load(ranks), "bits": options.bits, "rounding": options.rounding,
                "seed": options.seed, "block_size": options.block_size,
                "threads": options.threads, "timeout_s": options.timeout}


def _constructed(made: dict[int, Design], ranks: int, bits: Optional[int]) -> Design:
    if ranks > _PORTS_MAX:
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


def _admit(job: _Job, model: DistributedDataParallel) -> None:
    """Makes the state of a new model; collective over its ranks, as the model's constructor is."""
    name, ranks = type(model.module).__name__, model.process_group.size()
    name = f"DistributedDataParallel {len(job.models) + 1}, {name}, {ranks} ranks"
    if ranks == 1:
        admitted = _Model(name, None, "has one rank")
    elif model.mixed_precision is not None:
        admitted = _Model(name, None, "has PyTorch's hook for mixed precision")
    else:
        options = job.options
        admitted = _Model(name, State(
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


def _retire(model: _Model) -> None:
    """Of a DistributedDataParallel that is no more the figures stay, not the threads and buffers."""
    if isinstance(model.state, State):
        model.statistics = model.state.take_statistics()
        model.state.close()
        model.state = None


def _leave(job: _Job, model: DistributedDataParallel) -> None:
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


def _take_over_ddp(job: _Job) -> None:
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


def _take_over_fsdp(job: _Job) -> None:
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


def _scatter(job: _Job, group: dist.ProcessGroup, part: FSDPModule) -> None:
    """One switch serves all modules of a group of ranks."""
    if group not in job.of_group:
        switch = ReduceScatter(**job.switch(group.size()),
                               process_group=None if group == dist.group.WORLD else group)
        job.of_group[group] = _Model(f"fully_shard, {group.size()} ranks", switch)
        job.models.append(job.of_group[group])
    part.set_custom_reduce_scatter(job.of_group[group].state)


def _report(model: _Model) -> None:
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


def _finish(job: _Job) -> None:
    if int(os.environ.get("RANK", "0")) == 0 and not job.options.quiet:
        for model in job.models:
            _report(model)
        if not job.models:
            print("optinc: no DistributedDataParallel or fully_shard was made: nothing went "
                  "through the switch", file=sys.stderr)
    for model in job.models:
        if model.state is not None:
            model.state.close()


def _line(message: Any) -> str:
    """For stderr, which the ranks may share."""
    rank = os.environ.get("RANK")
    return f"optinc: {message}\n" if rank is None else f"optinc: rank {rank}: {message}\n"


class _Parser(argparse.ArgumentParser):
    """Every rank says what is wrong: without the usage, whose lines would drown that."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, _line(message))


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m optinc_torch.run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--design", default=os.environ.get("OPTINC_DESIGN") or None, metavar="FILE",
                        help="with a port for every rank ($OPTINC_DESIGN; without it the "
                             f"constructed switch of up to {_PORTS_MAX} ranks is made)")
    parser.add_argument("--bits", type=int, metavar="B",
                        help="of a code: what the design must have, or is made for (8)")
    parser.add_argument("--no-error-feedback", dest="error_feedback", action="store_false",
                        help="do not add a step's quantisation error to the next step's gradient")
    parser.add_argument("--warm-up-steps", type=int, default=0, metavar="N",
                        help="that many first steps of DDP in float32 (0)")
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN",
                        help="names of DDP's parameters that are averaged in float32 always")
    parser.add_argument("--measure-every", type=int, default=0, metavar="N",
                        help="steps of DDP after which an exact all-reduce is compared (0: never)")
    parser.add_argument("--rounding", choices=("nearest", "stochastic"), default="nearest")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of stochastic rounding (0)")
    parser.add_argument("--block-size", type=int, default=BLOCK_SIZE_DEFAULT, metavar="N",
                        help=f"elements that share a scale ({BLOCK_SIZE_DEFAULT})")
    parser.add_argument("--threads", type=int, default=1, metavar="N",
                        help="of quantising and switching (1)")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS",
                        help="after which a rank that does not answer is an error (300)")
    parser.add_argument("--quiet", action="store_true", help="no table at the end")
    parser.add_argument("-m", dest="module", action="store_true",
                        help="the program is a module's name, as of python -m")
    parser.add_argument("program", help="path of the program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the program's own")
    return parser


def _check(parser: _Parser, options: argparse.Namespace) -> None:
    """What every rank can see by itself. The design is State's to read, which tells all ranks if one
    of them cannot."""
    if options.warm_up_steps < 0 or options.measure_every < 0:
        parser.error("--warm-up-steps and --measure-every: 0 or more were expected")
    if options.block_size < 1 or options.threads < 1:
        parser.error("--block-size and --threads: 1 or more were expected")
    if not 0 <= options.seed < 1 << 64:
        parser.error(f"--seed {options.seed}: 0 to 2^64 - 1 was expected")
    if not 0 < options.timeout <= TIMEOUT_MAX_S:
        parser.error(f"--timeout {options.timeout}: seconds above 0 were expected")
    if options.module:
        try:
            found = importlib.util.find_spec(options.program) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            parser.error(f"{options.program}: no such module")
    elif not Path(options.program).is_file():
        parser.error(f"{options.program}: no such program")


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    job = _Job(options)
    _take_over_ddp(job)
    _take_over_fsdp(job)
    sys.path.insert(0, "" if options.module else str(Path(options.program).resolve().parent))
    _check(parser, options)
    sys.argv = [options.program, *options.arguments]
    try:
        if options.module:
            runpy.run_module(options.program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(options.program, run_name="__main__")
    except Error as error:
        parser.exit(1, _line(error))
    except SystemExit:
        _finish(job)
        raise
    # Any other exception is the program's: it is to be seen now, not after lanes that may wait for
    # ranks which wait for this one, and without a table that reads like an end.
    _finish(job)


if __name__ == "__main__":
    main()
