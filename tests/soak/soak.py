# SPDX-License-Identifier: Apache-2.0
"""Jobs of 2 to 4 ranks through the MPI interposition library and through
optinc_torch, whose ranks are killed or stopped at random moments.

A job that is left alone must end well. One that loses a rank must end with an error, on all ranks and within
LIMIT_S, and no rank may ever have seen a wrong sum."""

import math
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 5  # of a collective, OPTINC_TIMEOUT
LIMIT_S = 60   # from the loss of a rank to the end of the job


def runs(process: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return process > 0 and Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Job:
    """A running job: its processes, of which the first is the launcher or a rank, and its output."""

    def __init__(self, kind: str, ranks: int, seed: int, rounds: int, build: Path, design: Path,
                 folder: Path) -> None:
        self.folder, self.ranks = folder, ranks
        self.log = open(folder / "log", "w", encoding="utf-8")
        arguments = [str(folder), str(seed), str(rounds)]
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        if kind == "torch":
            environment.update(PYTHONPATH=str(HERE.parents[1] / "adapters" / "torch"),
                               OPTINC_LIBRARY=str(build / "src" / "liboptinc.so"))
            commands = [[sys.executable, str(HERE / "worker.py"), *arguments, str(rank), str(ranks), str(design)]
                        for rank in range(ranks)]
        else:
            environment.update(OPTINC_DESIGN=str(design), OPTINC_MIN_BYTES="4096", OPTINC_TIMEOUT=str(TIMEOUT_S))
            library = build / "adapters" / "mpi" / f"liboptinc_pmpi_{kind}.so"
            commands = [[str(HERE.parent / "mpi" / "run_ranks"), kind, f"mpirun.{kind}", str(ranks), "env",
                         f"LD_PRELOAD={library}", str(build / "tests" / "soak" / f"soak_program_{kind}"), *arguments]]
        self.processes = [subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=self.log,
                                           stderr=subprocess.STDOUT, start_new_session=True) for command in commands]

    def rank_process(self, rank: int, deadline: float = math.inf) -> int:
        """The rank's process number, once it has begun; 0 if the job ended before, or at the deadline."""
        file = self.folder / str(rank)
        while not (file.exists() and file.read_text().endswith("\n")):
            if any(process.poll() is not None for process in self.processes) or time.monotonic() > deadline:
                return 0
            self.pause(0.01)
        return int(file.read_text())

    def pause(self, seconds: float) -> None:
        """Waits, but not beyond the end of the launcher or of rank 0."""
        try:
            self.processes[0].wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def end(self, limit_s: float, victim: int) -> bool:
        """Whether all ranks but the victim, and then the launcher, end within the limit. A launcher may wait for
        a rank that is stopped, so the victim is killed once the others are gone."""
        deadline = time.monotonic() + limit_s
        # a rank that was in its first round when another one was lost never tells its number
        others = [process for process in (self.rank_process(rank, deadline) for rank in range(self.ranks))
                  if process not in (0, victim)]
        while any(runs(process) for process in others):
            if time.monotonic() > deadline:
                return False
            for process in self.processes:
                process.poll()
            self.pause(0.05)
        if runs(victim):
            os.kill(victim, signal.SIGKILL)
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                return False
        return True

    def clear(self) -> str:
        """Kills what is left and returns the output."""
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self.log.close()
        for rank in range(self.ranks):
            file = self.folder / str(rank)
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except (OSError, ValueError):
                pass
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


def run(kind: str, choice: random.Random, build: Path, design: Path, folder: Path) -> tuple[str, str]:
    """What was done to the job, and what was wrong with how it ended ("" if nothing)."""
    fault = choice.choice(["none", "killed", "stopped"])
    ranks, seed = choice.randint(2, 4), choice.randint(1, 1 << 30)
    job = Job(kind, ranks, seed, 100 if fault == "none" else 1000000, build, design, folder)
    victim = 0
    if fault != "none":
        victim = job.rank_process(choice.randrange(ranks))
        job.pause(choice.uniform(0.0, 2.0))
        if victim:
            os.kill(victim, signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
    ended = job.end(LIMIT_S, victim)
    codes = [process.poll() for process in job.processes if process.pid != victim]
    text = job.clear()
    wrong = ""
    if "WRONG SUM" in text:
        wrong = "a wrong sum"
    elif not ended:
        wrong = f"still running {LIMIT_S} s later"
    elif fault == "none" and ("rounds right" not in text or any(codes)):
        wrong = f"ended with {codes}"
    elif fault != "none" and 0 in codes:
        wrong = f"a rank was lost, but the job ended with {codes}"
    return fault, f"{wrong}\n{text[-2000:]}" if wrong else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("build", type=Path, help="a release build")
    parser.add_argument("seed", type=int, nargs="?", default=1)
    options = parser.parse_args()
    seconds, build, seed = options.seconds, options.build.resolve(), options.seed
    choice, done, failures = random.Random(seed), Counter(), 0
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as top:
        design = Path(top) / "switch.safetensors"
        subprocess.run([build / "bin" / "optinc", "design", "--servers", "4", "--bits", "8", "--method", "constructed",
                        "-o", design], check=True, stdout=subprocess.DEVNULL)
        kinds = ["torch"] + [kind for kind in ("openmpi", "mpich")
                             if (build / "tests" / "soak" / f"soak_program_{kind}").exists()]
        while time.monotonic() < end:
            kind, folder = choice.choice(kinds), Path(top) / str(sum(done.values()))
            folder.mkdir()
            fault, wrong = run(kind, choice, build, design, folder)
            done[f"{kind}, rank {fault}" if fault != "none" else f"{kind}, left alone"] += 1
            if wrong:
                failures += 1
                print(f"job {sum(done.values())} ({kind}, {fault}, seed {seed}): {wrong}", flush=True)
    for name, count in sorted(done.items()):
        print(f"{count:5d}  {name}")
    print(f"{sum(done.values())} jobs in {seconds:g} s, seed {seed}: {failures} failed")
    return 1 if failures else 0


sys.exit(main())
