#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the error of averaged gradients is made of, and what of it adds up over steps.

    python workloads/grid/rounding.py [--first STEP] [--count STEPS]

Trains the grid's LLaMA with four servers through a float mean, keeps the servers' gradients of some
steps in a row, and sends them through switches of several kinds. Per step: root mean square of the
error over that of the exact mean. Of the sum over the steps: the same of the summed errors; and how
much of those errors is of one sign, sum e / sum |e|: 0 is noise, 1 a bias.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch  # noqa: E402

import optinc_torch  # noqa: E402
from optinc_torch.signs import negate_alternate  # noqa: E402
from workloads.common import launch, options as common_options  # noqa: E402
from workloads.llama import text  # noqa: E402
from workloads.llama.workload import PRESETS, Llama  # noqa: E402

_SERVERS = 4


@dataclass(frozen=True)
class Way:
    """To average."""

    bits: int = 8
    variant: str = "half_up"
    block: int = 256
    feedback: bool = True
    alternate: bool = False


WAYS = (Way(), Way(feedback=False), Way(alternate=True), Way(block=64),
        Way(block=64, alternate=True), Way(block=16), Way(variant="stochastic"),
        Way(variant="stochastic", block=64), Way(variant="residual"),
        Way(variant="residual", block=64), Way(4), Way(4, alternate=True),
        Way(4, block=64, alternate=True), Way(4, "stochastic", 64), Way(4, "residual"), Way(16))


def gradients(first: int, count: int, cache: Path) -> list[torch.Tensor]:
    """[servers, parameters] of each of the steps first .. first + count - 1."""
    options: Any = common_options.parser("", list(PRESETS)).parse_args(
        ["--size", "tiny", "--output", str(cache), "--virtual-servers", str(_SERVERS)])
    for name, value in PRESETS["tiny"].items():
        setattr(options, name, value)
    launch.initialise(300.0)
    workload = Llama(options, text.load(text.EXCERPT, cache, options.vocabulary, options.sequence))
    optimiser, parameters = workload.optimiser(), list(workload.model.parameters())
    kept = []
    for step in range(1, first + count):
        servers = []
        for server in range(_SERVERS):
            optimiser.zero_grad(set_to_none=True)
            workload.loss(workload.model, workload.batch(step, server)).backward()
            servers.append(torch.cat([p.grad.flatten() for p in reversed(parameters)]))
        stacked = torch.stack(servers)
        sizes = [p.numel() for p in reversed(parameters)]
        for p, part in zip(reversed(parameters), stacked.mean(0).split(sizes)):
            p.grad.copy_(part.view_as(p))
        for group in optimiser.param_groups:
            group["lr"] = workload.learning_rate(step)
        optimiser.step()
        if step >= first:
            kept.append(stacked)
    return kept


def errors(way: Way, steps: Sequence[torch.Tensor]) -> tuple[float, float, float]:
    """Of a step, of the sum over all steps, and the latter's share of one sign."""
    design = optinc_torch.Design.construct(_SERVERS, way.bits, variant=way.variant)
    collective = optinc_torch.VirtualCollective(design, _SERVERS, block_size=way.block)
    count = steps[0].shape[1]
    feedback = [torch.zeros(count) for _ in range(_SERVERS)] if way.feedback else None
    squares = exact_squares = 0.0
    summed, exact_sum = torch.zeros(2, count, dtype=torch.float64)
    for number, stacked in enumerate(steps):
        sent, mean = [x.clone() for x in stacked], torch.empty(count)
        exact = stacked.double().mean(0)
        turned = [*sent, *(feedback or [])] if way.alternate else []
        for x in turned:
            negate_alternate(x, number)
        collective.allreduce(sent, mean, error_feedback=feedback, step=number)
        for x in [mean, *(feedback or [])] if way.alternate else []:
            negate_alternate(x, number)
        error = mean.double() - exact
        squares += error.square().sum().item()
        exact_squares += exact.square().sum().item()
        summed += error
        exact_sum += exact
    collective.close()
    design.close()
    return ((squares / exact_squares) ** 0.5,
            (summed.square().sum() / exact_sum.square().sum()).sqrt().item(),
            (summed.sum() / summed.abs().sum()).item())


def main(arguments: Optional[Sequence[str]] = None) -> int:
    p = argparse.ArgumentParser(description="What the error of averaged gradients is made of.")
    p.add_argument("--first", type=common_options.positive, default=50, metavar="STEP")
    p.add_argument("--count", type=common_options.positive, default=10, metavar="STEPS")
    options = p.parse_args(arguments)
    with tempfile.TemporaryDirectory() as cache:
        steps = gradients(options.first, options.count, Path(cache))
    print(f"| bits | switch | block | EF | alternating | error of a step | of the sum of "
          f"{options.count} | of one sign |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
    for way in WAYS:
        step, total, sign = errors(way, steps)
        print(f"| {way.bits} | {way.variant.replace('_', ' ')} | {way.block} | "
              f"{'yes' if way.feedback else 'no'} | {'yes' if way.alternate else 'no'} | "
              f"{100 * step:.2g} % | {100 * total:.2g} % | {sign:+.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
