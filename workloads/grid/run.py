#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the grid: every configuration, seed and number of servers, and gathers them in one CSV.

    python workloads/grid/run.py --output build/grid --results workloads/results --jobs 2

Each run has a folder and virtual servers in one process. A run that is in the CSV is left out, one
that was interrupted (Ctrl-C, SIGTERM, a kill) goes on from its checkpoint with the same command.
"""

import argparse
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from workloads.common import checkpoint, runlog  # noqa: E402
from workloads.common.errors import UserError  # noqa: E402
from workloads.common.options import positive  # noqa: E402
from workloads.grid import configs, results  # noqa: E402

_CHECKPOINT_EVERY = "100"
_MEASURE_EVERY = "20"
_PRELOAD = ["torch", "torch.distributed", "torch._dynamo", "numpy", "optinc_torch", "torchvision",
            "transformers.models.llama.modeling_llama", "workloads.llama.train",
            "workloads.resnet50.train", "workloads.resnet50.network"]


def make_design(design: configs.Design, ports: int, folder: Path, program: Path) -> Path:
    """The design's file, made if it is not there."""
    import optinc_torch

    path = folder / design.file_name(ports)
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    if design.method == "constructed" and design.error_rate is None:
        optinc_torch.Design.construct(ports, design.bits, variant=design.variant).save(path)
        return path
    command = [str(program), "design", "--servers", str(ports), "--bits", str(design.bits),
               "--method", design.method, "-o", str(path), "--seed", "1"]
    if design.error_rate is not None:
        command += ["--error-rate", str(design.error_rate)]
    if design.epochs is not None:
        command += ["--epochs", str(design.epochs), "--cycles", "1", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: it errs, as it is meant to
        raise UserError(f"{' '.join(command)}: {done.stderr.strip()}")
    return path


def arguments_of(task: configs.Task, options: argparse.Namespace) -> list[str]:
    """The command line of the workload."""
    run_dir = options.out / task.name
    config = configs.config(task.config)
    workload = configs.WORKLOADS[task.workload]
    arguments = [*workload.options, "--output", str(run_dir), "--seed", str(task.seed),
                 "--virtual-servers", str(task.servers), "--checkpoint-every", _CHECKPOINT_EVERY]
    if config.design is not None:
        ports = max(2, 1 << (task.servers - 1).bit_length())
        arguments += ["--collective", "optinc", "--measure-every", _MEASURE_EVERY, "--design",
                      str(make_design(config.design, ports, options.out / "designs",
                                      options.optinc)), *config.options]
        if "photonic" in config.options:
            arguments += ["--chip-seed", str(task.seed)]  # every run has a chip of its own
    if workload.module == "resnet50":
        arguments += ["--data", str(options.cifar)]
    else:
        arguments += ["--cache", str(options.out / "text")]
    arguments += options.more
    log = run_dir / "log.jsonl"
    if log.exists():
        arguments += ["--resume" if checkpoint.latest(run_dir) else "--overwrite"]
    return arguments


def _work(workload: str, arguments: list[str], log: Path) -> None:
    """In the worker process: one run, its output into `log`. Ends the process."""
    import importlib

    from workloads.common import launch

    with open(log, "a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    train = importlib.import_module(f"workloads.{workload}.train")
    launch.run_main(lambda: train.main(arguments))


class Grid:
    """Runs tasks, some at a time."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._context: Any = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        self._running: dict[configs.Task, Any] = {}
        self._stopping = False

    def run(self, tasks: Sequence[configs.Task]) -> int:
        """The number of runs that failed."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        waiting = list(tasks)
        failed = 0
        while self._running or (waiting and not self._stopping):
            while waiting and len(self._running) < self._options.jobs and not self._stopping:
                self._start(waiting.pop(0), len(waiting))
            wait([process.sentinel for process in self._running.values()], timeout=1.0)
            for task, process in list(self._running.items()):
                if process.exitcode is not None:
                    del self._running[task]
                    failed += not self._finish(task, process.exitcode)
        return failed

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True
        for process in self._running.values():
            process.terminate()  # each writes a checkpoint and ends

    def _run_dir(self, task: configs.Task) -> Path:
        return self._options.out / task.name

    def _start(self, task: configs.Task, left: int) -> None:
        run_dir = self._run_dir(task)
        run_dir.mkdir(parents=True, exist_ok=True)
        module = configs.WORKLOADS[task.workload].module
        process = self._context.Process(
            target=_work, args=(module, arguments_of(task, self._options), run_dir / "output.txt"))
        process.start()
        self._running[task] = process
        print(f"{time.strftime('%H:%M:%S')}  {task.name}  ({left} left)", flush=True)

    def _finish(self, task: configs.Task, status: int) -> bool:
        """Its row into the CSV; False if it failed."""
        run_dir = self._run_dir(task)
        try:
            finished = runlog.read(run_dir / "log.jsonl")[-1].get("outcome") == "finished"
        except UserError:
            finished = False
        if not finished:
            if not self._stopping:
                print(f"{task.name}: status {status}, see {run_dir / 'output.txt'}",
                      file=sys.stderr)
            return self._stopping
        results.append(self._options.results, task, run_dir / "log.jsonl")
        checkpoint.remove_all(run_dir)
        return True


def main(arguments: Optional[Sequence[str]] = None) -> int:
    p = argparse.ArgumentParser(description="Runs the grid; the same command resumes it.")
    p.add_argument("-o", "--output", dest="out", type=Path, default=ROOT / "build" / "grid",
                   metavar="DIR", help="runs and designs (build/grid)")
    p.add_argument("--results", type=Path, default=ROOT / "workloads" / "results", metavar="DIR",
                   help="where runs.csv and curves.csv are (workloads/results)")
    p.add_argument("--jobs", type=positive, default=2, help="runs at a time, a core each (2)")
    p.add_argument("--only", default="", metavar="REGEX",
                   help="only runs whose name (--list shows them) matches")
    p.add_argument("--cifar", type=Path, metavar="DIR",
                   default=ROOT.parent / "shared" / "data" / "cifar-100-binary",
                   help="folder with CIFAR-100's train.bin and test.bin")
    p.add_argument("--optinc", type=Path, default=ROOT / "build" / "release" / "bin" / "optinc")
    p.add_argument("--more", nargs=argparse.REMAINDER, default=[], metavar="OPTION",
                   help="the rest of the command line goes to every run, after its own options")
    p.add_argument("--list", action="store_true", help="print what is to be run, and stop")
    options = p.parse_args(arguments)
    try:
        done = results.tasks_done(options.results)
        todo = [task for task in configs.tasks()
                if task not in done and re.search(options.only, task.name)]
        if options.list:
            print("\n".join(task.name for task in todo))
            return 0
        return 1 if Grid(options).run(todo) else 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
