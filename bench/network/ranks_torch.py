# SPDX-License-Identifier: Apache-2.0
"""One rank of bench/network/run's parts gloo and ddp; torchrun's environment variables are expected.

gloo: our all-reduce over torch.distributed beside dist.all_reduce, both over Gloo, float32, sums.
ddp: a step (forward, backward with the gradients' exchange; no optimiser) of DistributedDataParallel
with PyTorch's communication hooks and with ours; a model of linear layers, the same for each.
The contenders take turns. Rank 0 prints a line of JSON each, as ranks_mpi does.
"""

import argparse
import copy
import json
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import (debugging_hooks, default_hooks,
                                                         powerSGD_hook, quantization_hooks)
from torch.nn.parallel import DistributedDataParallel

import optinc_torch

LAYER_SIDE = 1024  # 4 MiB of float32
BATCH = 8
WARM_UP_STEPS = 4  # DDP rebuilds its buckets, PowerSGD begins with plain all-reduces
CHAINED = (powerSGD_hook.powerSGD_hook, quantization_hooks.quantization_pertensor_hook,
           quantization_hooks.quantization_perchannel_hook)


def numbers(text):
    return [int(value) for value in text.split(",")]


def slowest(seconds):
    """The largest of the ranks' times."""
    value = torch.tensor([seconds], dtype=torch.float64)
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return value.item()


def clocked(work):
    dist.barrier()
    begin = time.perf_counter()
    work()
    return slowest(time.perf_counter() - begin)


def largest_error(found, exact):
    error = (found.double() - exact).abs().max()
    dist.all_reduce(error, op=dist.ReduceOp.MAX)
    return error.item()


def design(bits):
    servers = 2
    while servers < dist.get_world_size():
        servers *= 2
    return optinc_torch.Design.construct(servers, bits)


def compete(contenders, rounds):
    """{name: work} in turn; {name: times}."""
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            times[name].append(clocked(work))
    return times


def say(name, size, error, bound, times, report=None):
    if dist.get_rank() != 0:
        return
    line = {"contender": name, "bytes": size, "error": error, "bound": bound, "times_s": times}
    if report is not None:
        line |= {f"{part}_s": getattr(report, f"seconds_{part}")
                 for part in ("quantise", "exchange", "switch", "dequantise")}
        line["bytes_sent"] = report.bytes_sent
    print(json.dumps(line), flush=True)


def gloo_size(collectives, size, rounds):
    def values(rank):
        generator = torch.Generator().manual_seed(rank)
        return torch.rand(size // 4, generator=generator) * 2 - 1

    source, reports, errors = values(dist.get_rank()), {}, {}
    exact = sum(values(rank).double() for rank in range(dist.get_world_size()))
    target = torch.full_like(source, float("nan"))

    def ours(name, collective):
        reports[name] = collective.allreduce(source, target, op="sum")

    def plain():
        target.copy_(source)
        dist.all_reduce(target)

    contenders = {name: (lambda name=name, c=c: ours(name, c)) for name, c in collectives.items()}
    contenders["Gloo all_reduce"] = plain
    for name, work in contenders.items():
        target.fill_(float("nan"))
        work()
        errors[name] = largest_error(target, exact)
    times = compete(contenders, rounds)
    for name in contenders:
        report = reports.get(name)
        say(name, size, errors[name], report and report.error_bound_max, times[name], report)


def gloo(options):
    collectives = {
        f"OptINC {bits}-bit": optinc_torch.Collective(design(bits), dist.new_group(),
                                                      chunk_elements=options.chunk)
        for bits in options.bits}
    for size in options.bytes:
        gloo_size(collectives, size, options.rounds)
    for collective in collectives.values():
        collective.close()


def hooks(options):
    """(name, state, hook) of every contender; ours first. Hooks that start a second collective from
    the first one's callback deadlock over Gloo when several buckets are in flight, as the ranks
    start them in different orders: those named in CHAINED get one bucket."""
    states = {bits: optinc_torch.State(design(bits), chunk_elements=options.chunk)
              for bits in options.bits}
    found = [(f"OptINC {bits}-bit", states[bits], optinc_torch.hook) for bits in options.bits]
    found += [
        ("DDP no hook", None, None),
        ("DDP no exchange", None, debugging_hooks.noop_hook),
        ("DDP fp16 hook", None, default_hooks.fp16_compress_hook),
        ("DDP bf16 hook", None, default_hooks.bf16_compress_hook),
        ("DDP PowerSGD rank 1", powerSGD_hook.PowerSGDState(None, start_powerSGD_iter=2),
         powerSGD_hook.powerSGD_hook),
        ("DDP quantise per tensor", dist.group.WORLD, quantization_hooks.quantization_pertensor_hook),
        ("DDP quantise per channel", dist.group.WORLD,
         quantization_hooks.quantization_perchannel_hook),
    ]
    return found, states


def wrapped(model, state, hook, bucket):
    model = DistributedDataParallel(copy.deepcopy(model), gradient_as_bucket_view=True,
                                    bucket_cap_mb=1 << 14 if hook in CHAINED else bucket or None)
    if hook is not None:
        model.register_comm_hook(state, hook)
    return model


def gradients(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def works(step):
    """Whether every rank can take a step: PyTorch's hooks do not all run on the CPU."""
    failure = ""
    try:
        step()
    except (RuntimeError, NotImplementedError) as error:
        failure = str(error).splitlines()[0]
    ok = torch.tensor([0 if failure else 1])
    dist.all_reduce(ok, op=dist.ReduceOp.MIN)
    return not failure and ok.item() == 1, failure


def ddp(options):
    torch.manual_seed(1)
    layers = [nn.Linear(LAYER_SIDE, LAYER_SIDE, bias=False) for _ in range(options.ddp_layers)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=LAYER_SIDE**-0.5)  # gradients that fp16 can hold
    model, size = nn.Sequential(*layers), options.ddp_layers * LAYER_SIDE * LAYER_SIDE * 4
    torch.manual_seed(100 + dist.get_rank())
    batch = torch.randn(BATCH, LAYER_SIDE)
    registered, states = hooks(options)
    contenders, models = {}, {}

    def step(name):
        for parameter in models[name].parameters():
            parameter.grad = None
        models[name](batch).square().sum().div(BATCH).backward()

    exact = None
    for name, state, hook in sorted(registered, key=lambda entry: entry[0] != "DDP no hook"):
        models[name] = wrapped(model, state, hook, options.bucket)
        ok, failure = works(lambda name=name: [step(name) for _ in range(WARM_UP_STEPS)])
        if not ok:
            if dist.get_rank() == 0:
                print(f"{name} left out: {failure}", file=sys.stderr)
            del models[name]
            continue
        contenders[name] = lambda name=name: step(name)
        if exact is None:
            exact = gradients(models[name]).double()
    contenders = {name: contenders[name] for name, *_ in registered if name in contenders}
    errors, reports = {}, {}
    for state in states.values():
        state.take_statistics()
    for name, work in contenders.items():
        work()
        errors[name] = largest_error(gradients(models[name]), exact)
    for bits, state in states.items():
        reports[f"OptINC {bits}-bit"] = state.take_statistics()
    times = compete(contenders, options.rounds)
    for name in contenders:
        report = reports.get(name)
        say(name, size, errors[name], report and report.error_bound_max, times[name], report)
    for state in states.values():
        state.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("gloo", "ddp"))
    parser.add_argument("--bytes", type=numbers, required=True)
    parser.add_argument("--bits", type=numbers, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--ddp-layers", type=int, required=True)
    parser.add_argument("--bucket", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    (gloo if options.part == "gloo" else ddp)(options)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
