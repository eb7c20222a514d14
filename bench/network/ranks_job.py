# SPDX-License-Identifier: Apache-2.0
"""One rank of bench/network/run's part job; torchrun's environment variables are expected.

Training steps of workloads/llama on real text: batch, forward, backward with the gradients' exchange
by DistributedDataParallel, AdamW. Every contender trains a model of its own from the same weights on
the same batches, and they take turns, a step each. Rank 0 prints a line of JSON each, as ranks_torch
does, with the tokens of a step and the loss over all ranks after the last one.
"""

import argparse
import copy
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched: weights are random
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch.distributed.algorithms.ddp_comm_hooks import debugging_hooks, default_hooks  # noqa: E402
from torch.nn.parallel import DistributedDataParallel  # noqa: E402

import optinc_torch  # noqa: E402
import ranks_torch  # noqa: E402
from workloads.common import launch  # noqa: E402
from workloads.llama import text  # noqa: E402
from workloads.llama.workload import PRESETS, Llama  # noqa: E402


class Job:
    """A contender: a model, its optimiser and its way to average."""

    def __init__(self, workload, state, hook):
        self._workload = workload
        inner = copy.deepcopy(workload.model)
        workload.model, kept = inner, workload.model
        self._optimiser = workload.optimiser()  # of workload.model
        workload.model = kept
        self._model = DistributedDataParallel(inner, gradient_as_bucket_view=True)
        if hook is not None:
            self._model.register_comm_hook(state, hook)
        self._step = 0
        self.loss = float("nan")

    def step(self):
        self._step += 1
        for group in self._optimiser.param_groups:
            group["lr"] = self._workload.learning_rate(self._step)
        batch = self._workload.batch(self._step, dist.get_rank())
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._workload.loss(self._model, batch)
        loss.backward()
        self._optimiser.step()
        self.loss = loss.item()


def workload_options(size, steps):
    """PRESET:BATCHxSEQUENCE as workloads/llama/train.py would have it."""
    preset, _, shape = size.partition(":")
    batch, _, sequence = shape.partition("x")
    return argparse.Namespace(**PRESETS[preset] | {
        "batch": int(batch), "sequence": int(sequence), "steps": steps, "seed": 1, "device": "cpu",
        "virtual_servers": None})


def mean_loss(job):
    value = torch.tensor([job.loss], dtype=torch.float64)
    dist.all_reduce(value)
    return value.item() / dist.get_world_size()


def compete(options, size):
    settings = workload_options(size, 1000)
    data = launch.first_rank_first(lambda: text.load(options.data, options.cache,
                                                     settings.vocabulary, settings.sequence))
    workload = Llama(settings, data)
    states = {f"OptINC {bits}-bit": optinc_torch.State(ranks_torch.design(bits),
                                                       error_feedback=True)
              for bits in options.bits}
    jobs = {name: Job(workload, state, optinc_torch.hook) for name, state in states.items()}
    jobs["DDP no hook"] = Job(workload, None, None)
    jobs["DDP no exchange"] = Job(workload, None, debugging_hooks.noop_hook)
    jobs["DDP fp16 hook"] = Job(workload, None, default_hooks.fp16_compress_hook)
    for job in jobs.values():
        for _ in range(ranks_torch.WARM_UP_STEPS):
            job.step()
    times = ranks_torch.compete({name: job.step for name, job in jobs.items()}, options.rounds)
    parameters = sum(p.numel() for p in workload.model.parameters())
    for name, job in jobs.items():
        loss = mean_loss(job)
        if dist.get_rank() == 0:
            print(json.dumps({
                "contender": name, "bytes": 4 * parameters, "error": loss, "bound": None,
                "times_s": times[name], "job": f"llama {size}",
                "tokens": dist.get_world_size() * settings.batch * settings.sequence}), flush=True)
    for state in states.values():
        state.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bits", type=ranks_torch.numbers, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--sizes", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for size in options.sizes.split(","):
        compete(options, size)
    dist.barrier()
    # without the interpreter's end, as workloads.common.launch.run_main has it
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
