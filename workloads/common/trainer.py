# SPDX-License-Identifier: Apache-2.0
"""The training loop that all workloads share.

A run is a function of its configuration and seed: the same ones give the same curve, bit for bit,
whether the run was interrupted or not. Three things make it so: samples depend on the step alone,
checkpoints hold every worker's own state, and the gradient buckets have their final layout from the
first step on (see _settle_buckets).
"""

import argparse
import copy
import math
import platform
import time
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from workloads.common import averaging, checkpoint, launch
from workloads.common.errors import TrainingFailed, UserError
from workloads.common.progress import Progress
from workloads.common.runlog import RunLog
from workloads.common.workload import Workload, server_count, servers_here

_VERSION_FILE = Path(__file__).resolve().parents[2] / "VERSION"
# Two configurations that differ in these only give the same curve.
_WITHOUT_INFLUENCE = {"name", "design", "valid_every", "software", "version", "measure_every"}


class Trainer:
    """One run of a workload. Construction and `run` are collective."""

    def __init__(self, workload: Workload, options: argparse.Namespace) -> None:
        self._workload, self._options = workload, options
        self._rank = dist.get_rank()
        self._workers, self._servers = server_count(options), servers_here(options)
        self._stop = launch.StopRequest()
        parameters = sum(p.numel() for p in workload.model.parameters() if p.requires_grad)
        self._averaging = launch.agree(lambda: averaging.create(options, 4 * parameters))
        self._model = DistributedDataParallel(workload.model)
        self._averaging.attach(self._model)
        self._optimiser = workload.optimiser()
        self._configuration = self._full_configuration(parameters)
        self._log: Optional[RunLog] = None
        self._progress: Optional[Progress] = None
        self._last: dict[str, float] = {}
        self._bytes_total = 0
        self._seconds_before = 0.0
        self._started = time.monotonic()
        self._checkpoint_path: Optional[Path] = None

    def _full_configuration(self, parameters: int) -> dict[str, Any]:
        options = self._options
        return {
            "name": options.name or options.out.resolve().name,
            "workload": self._workload.name,
            "version": _VERSION_FILE.read_text(encoding="utf-8").strip(),
            "seed": options.seed,
            "steps": options.steps,
            "workers": self._workers,
            "virtual": bool(options.virtual_servers),
            "parameters": parameters,
            "gradient_bytes": 4 * parameters,
            "measure_every": 0,
            **self._averaging.configuration(),
            "size": options.size,
            "batch": options.batch,
            "lr": options.lr,
            "device": options.device,
            "valid_every": options.valid_every,
            **self._workload.configuration(),
            "software": {"python": platform.python_version(), "torch": torch.__version__,
                         "numpy": np.__version__, **self._workload.software()},
        }

    def run(self) -> int:
        """Trains to the end, or to an interruption; the process's exit status."""
        options = self._options
        self._settle_buckets()
        first = launch.agree(self._begin)
        self._progress = Progress(self._configuration["name"], first, options.steps,
                                  self._rank == 0)
        if first >= options.steps:
            self._progress.note(f"finished already ({options.steps} steps in {options.out})")
            return 0
        self._progress.note(
            f"{self._configuration['parameters']} parameters, {self._workers} workers, "
            f"{options.collective}, steps {first + 1} to {options.steps}, seed {options.seed}")
        self._started = time.monotonic()
        try:
            outcome, step = self._train(first)
        except Exception as error:
            self._end("failed", int(self._last.get("step", first)), message=str(error))
            raise
        self._end(outcome, step)
        self._averaging.close()
        return 0

    def _settle_buckets(self) -> None:
        """One step without an update. DDP lays its buckets out anew after the first backward pass,
        and the layout decides the order of sums and the blocks of the codec; so a run settles it
        before its first step, and a resumed run does the same."""
        workload = self._workload
        before = copy.deepcopy(workload.model.state_dict())
        self._averaging.select(self._servers[0])
        workload.model.train()
        workload.loss(self._model, workload.batch(1, self._servers[0])).backward()
        self._optimiser.zero_grad(set_to_none=True)
        workload.model.load_state_dict(before)
        self._averaging.reset()
        torch.manual_seed(self._options.seed * 1_000_003 + self._rank)

    def _begin(self) -> int:
        """Opens the log, loads the checkpoint; the number of steps that are done."""
        options = self._options
        log_path = options.out / "log.jsonl"
        path = checkpoint.latest(options.out)
        if options.resume:
            if path is None:
                raise UserError(f"{options.out}: no checkpoint to resume from")
            return self._resume(path, log_path)
        if self._rank == 0:  # alone, or a slower worker would find the log that rank 0 has begun
            if log_path.exists() and not options.overwrite:
                raise UserError(f"{log_path}: a run is there already; --resume continues it, "
                                "--overwrite replaces it")
            checkpoint.remove_all(options.out)
            self._log = RunLog.start(log_path, self._configuration)
        return 0

    def _resume(self, path: Path, log_path: Path) -> int:
        step, shared, own = checkpoint.load(path, self._fingerprint())
        try:
            self._workload.model.load_state_dict(shared["model"])
            self._optimiser.load_state_dict(shared["optimiser"])
            self._averaging.load_state_dict(own["averaging"], self._workload.model)
            torch.set_rng_state(own["random_state"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise UserError(f"{path}: does not fit the model: {error}") from error
        self._last = dict(shared["last"])
        self._bytes_total = shared["bytes_total"]
        self._seconds_before = shared["seconds"]
        self._checkpoint_path = path
        if self._rank == 0 and step < self._options.steps:
            self._log = RunLog.resume(log_path, step)
        return step

    def _fingerprint(self) -> dict[str, Any]:
        """What two runs must share to have the same curve."""
        return {key: value for key, value in self._configuration.items()
                if key not in _WITHOUT_INFLUENCE}

    def _train(self, first: int) -> tuple[str, int]:
        options = self._options
        step = first
        while step < options.steps:
            step += 1
            record, stop = self._step(step)
            if step % options.valid_every == 0 or step == options.steps:
                record.update(self._validate(step))
            self._write(record)
            stop = stop or step == options.stop_at
            due = options.checkpoint_every and step % options.checkpoint_every == 0
            if due or stop or (step == options.steps and options.checkpoint_every):
                self._save(step)
            if stop and step < options.steps:
                assert self._progress is not None
                self._progress.note(f"stopped after step {step}; --resume continues")
                return "interrupted", step
        return "finished", step

    def _step(self, step: int) -> tuple[dict[str, Any], bool]:
        """One update. The line for the log, and whether any worker was asked to stop."""
        workload, start = self._workload, time.monotonic()
        rate = workload.learning_rate(step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        losses = self._gradients(step)
        mine = self._averaging.step_record()
        # [processes, 2 + servers of a process]; also the point at which all workers learn of a NaN
        # or of a signal together
        everyone = launch.gather([mine["bytes_sent"], float(self._stop.requested), *losses])
        all_losses = everyone[:, 2:].flatten().tolist()
        mean_loss = sum(all_losses) / len(all_losses)
        if not math.isfinite(mean_loss):
            self._fail_non_finite(step, all_losses)
        self._optimiser.step()
        mine["bytes_sent"] = int(everyone[:, 0].max().item())
        self._bytes_total += mine["bytes_sent"]
        self._last.update(step=step, loss=mean_loss)
        record = {"type": "step", "step": step, "loss": mean_loss, "lr": rate,
                  "seconds": time.monotonic() - start, **mine}
        return record, bool(everyone[:, 1].any().item())

    def _gradients(self, step: int) -> list[float]:
        """Forward and backward pass of every server of this process; the mean over all servers is
        left in the gradients. Their losses."""
        workload, losses = self._workload, []
        workload.model.train()
        for server in self._servers:
            self._optimiser.zero_grad(set_to_none=True)
            self._averaging.select(server)
            loss = workload.loss(self._model, workload.batch(step, server))
            loss.backward()
            losses.append(loss.item())
            # DDP keeps the first rank's statistics of normalisation; so do virtual servers.
            if server == self._servers[0]:
                first = [buffer.clone() for buffer in workload.model.buffers()]
            for buffer, kept in zip(workload.model.buffers(), first):
                buffer.copy_(kept)
        return losses

    def _fail_non_finite(self, step: int, losses: list[float]) -> None:
        workers = ", ".join(str(rank) for rank, x in enumerate(losses) if not math.isfinite(x))
        good = (f"the last good checkpoint is {self._checkpoint_path}" if self._checkpoint_path
                else "there is no checkpoint (--checkpoint-every)")
        raise TrainingFailed(f"the loss of step {step} is not a finite number (seed "
                             f"{self._options.seed}, worker {workers}); {good}")

    def _validate(self, step: int) -> dict[str, float]:
        """Mean of every validation figure over all workers' shares."""
        model = self._workload.model
        model.eval()
        with torch.no_grad():
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)
            sums = self._workload.validate(model)
        names = sorted(sums)
        everyone = launch.gather([value for name in names for value in sums[name]])
        totals = everyone.sum(dim=0).view(-1, 2)
        figures = {name: (totals[i, 0] / totals[i, 1]).item() for i, name in enumerate(names)}
        if not math.isfinite(figures["valid_loss"]):
            raise TrainingFailed(f"the validation loss after step {step} is not a finite number "
                                 f"(seed {self._options.seed})")
        self._last.update(figures)
        return figures

    def _write(self, record: dict[str, Any]) -> None:
        assert self._progress is not None
        if self._log is not None:
            self._log.write(record)
        self._progress.update(record["step"], record["loss"], record.get("valid_loss"))

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _save(self, step: int) -> None:
        shared = {"model": self._workload.model.state_dict(),
                  "optimiser": self._optimiser.state_dict(), "last": self._last,
                  "bytes_total": self._bytes_total, "seconds": self._seconds()}
        own = {"averaging": self._averaging.state_dict(self._workload.model),
               "random_state": torch.get_rng_state()}
        self._checkpoint_path = checkpoint.save(self._options.out, step, self._fingerprint(),
                                                shared, own)

    def _end(self, outcome: str, step: int, message: Optional[str] = None) -> None:
        if self._log is None:
            return
        record: dict[str, Any] = {"type": "end", "outcome": outcome, **self._last, "step": step,
                                  "seconds": self._seconds(), "bytes_sent": self._bytes_total}
        if message is not None:
            record["message"] = message
        self._log.write(record)
        self._log.close()
