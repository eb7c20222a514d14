# SPDX-License-Identifier: Apache-2.0
"""Runs a PyTorch program as it is, its gradients through the switch.

    torchrun --nproc-per-node 4 -m optinc_torch.run train.py ARGUMENT...
    python -m optinc_torch.run train.py ARGUMENT...    # one that starts its ranks itself

Every DistributedDataParallel that the program makes gets the communication hook, unless it registers
one of its own, and every module that it shards with fully_shard (FSDP2) the reduce-scatter. Nothing
in the program changes. At its end rank 0 says on stderr what went through the switch.
"""

import argparse
import importlib.util
import os
import runpy
import sys
from pathlib import Path
from typing import Any, NoReturn, Optional, Sequence

from optinc_torch import takeover
from optinc_torch.errors import Error
from optinc_torch.hook import BLOCK_SIZE_DEFAULT, TIMEOUT_MAX_S


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
                             f"constructed switch of up to {takeover.PORTS_MAX} ranks is made)")
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


def _check(parser: _Parser, options: argparse.Namespace) -> Path:
    """What every rank can see by itself; returns the program's file. The design is State's to read,
    which tells all ranks if one of them cannot."""
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
            found = importlib.util.find_spec(options.program)
        except ModuleNotFoundError:
            found = None
        if not found:
            parser.error(f"{options.program}: no such module")
        return Path(found.origin or "")
    if not Path(options.program).is_file():
        parser.error(f"{options.program}: no such program")
    return Path(options.program)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = _parser()
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(words)
    job = takeover.take_over(options)
    sys.path.insert(0, "" if options.module else str(Path(options.program).resolve().parent))
    path = _check(parser, options)
    own = words[:len(words) - len(options.arguments) - (2 if options.module else 1)]
    takeover.take_over_copies(path, options.program if options.module else None,
                              ["-m", "optinc_torch.run", *own])
    sys.argv = [options.program, *options.arguments]
    try:
        if options.module:
            runpy.run_module(options.program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(options.program, run_name="__main__")
    except Error as error:
        parser.exit(1, _line(error))
    except SystemExit:
        takeover.finish(job)
        raise
    # Any other exception is the program's: it is to be seen now, without a table that reads like an
    # end.
    takeover.finish(job)


if __name__ == "__main__":
    main()
