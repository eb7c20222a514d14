#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seconds per training epoch: the trainer in C beside PyTorch, in turn, in one run.

The same network (4-64-128-256-128-64-4, N=4, B=8), batch (1024), loss and optimiser: Adam for what
is free; for segmented layers Adam on the skew-symmetric gradients of the blocks, a step by the
second-order exponential, and a Newton-Schulz round where the accumulated bound asks for it.

    build/venv/bin/python bench/bench_train.py --rounds 5 --threads 2
"""
import argparse
import csv
import json
import os
import statistics
import subprocess
import time


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bench/bench_train",
                        help="the trainer in C; default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each; default %(default)s")
    parser.add_argument("--epochs", type=int, default=9, help="epochs a round, 3 or more; default %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="of both; default %(default)s")
    parser.add_argument("--csv", default="bench/results.csv",
                        help="rows are appended to it; default %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    OPTIONS = parse()  # before what not every Python has, so that --help needs nothing else

import torch

SIDES = [4, 64, 128, 256, 128, 64, 4]
N, M = 4, 4


def data():
    index = torch.arange((3 * N + 1) ** M)
    sums = torch.stack([index // (3 * N + 1) ** j % (3 * N + 1) for j in range(M)], 1)
    total = (sums * 4 ** torch.arange(M)).sum(1)
    result = (total + N // 2) // N
    digits = torch.stack([result // 4**j % 4 for j in range(M)], 1)
    return sums.float() / N / 1.5 - 1.0, digits.float()


def loss_of(y, t, squared, margin=0.25):
    e = y - t
    if squared:
        return (e * e).sum()
    e = torch.where(((t == 0) & (e < 0)) | ((t == 3) & (e > 0)), torch.zeros_like(e), e)
    return (torch.relu(e.abs() - margin) ** 2).sum()


class Segmented:
    """Blocks [count, k, k] and diagonals [count, k] of each layer."""

    def __init__(self, rate):
        self.rate, self.t = rate, 0
        self.u, self.d, self.b = [], [], []
        for cols, rows in zip(SIDES, SIDES[1:]):
            k, count = min(rows, cols), max(rows, cols) // min(rows, cols)
            u = torch.linalg.qr(torch.randn(count, k, k)).Q.contiguous()
            gain = 1.0 if rows == SIDES[-1] else 2.0
            scale = (gain / (count if cols > rows else 1)) ** 0.5
            self.u.append(u.requires_grad_())
            self.d.append(torch.full((count, k), scale, requires_grad=True))
            self.b.append(torch.zeros(rows, requires_grad=True))
        with torch.no_grad():
            self.b[-1] += 1.5
        self.m = [torch.zeros_like(u) for u in self.u]
        self.v = [torch.zeros_like(u) for u in self.u]
        self.drift = [0.0] * len(self.u)
        self.eye = [torch.eye(u.shape[1]) for u in self.u]
        self.adam = torch.optim.Adam(self.d + self.b, lr=rate, fused=True)

    def weight(self, i):
        count, k, _ = self.u[i].shape
        w = self.d[i].unsqueeze(2) * self.u[i]
        if SIDES[i + 1] >= SIDES[i]:
            return w.reshape(count * k, k)
        return w.permute(1, 0, 2).reshape(k, count * k)

    def forward(self, x):
        for i in range(len(self.u)):
            x = torch.nn.functional.linear(x, self.weight(i), self.b[i])
            if i + 1 < len(self.u):
                x = torch.relu(x)
        return x

    @torch.no_grad()
    def step(self):
        self.t += 1
        c1, c2 = 1 - 0.9**self.t, 1 - 0.999**self.t
        for i, u in enumerate(self.u):
            a = u.mT @ u.grad
            s = (a - a.mT) * 0.5
            self.m[i].mul_(0.9).add_(s, alpha=0.1)
            self.v[i].mul_(0.999).addcmul_(s, s, value=0.001)
            x = (self.v[i] / c2).sqrt_().add_(1e-8).reciprocal_().mul_(self.m[i]).mul_(-self.rate / c1)
            power = (x * x).sum(dim=(1, 2)).max().item()
            if power > 2:
                x *= (2 / power) ** 0.5
                power = 2.0
            self.drift[i] += power * power / 16 + 1e-6
            u.copy_(u @ (self.eye[i] + x + 0.5 * (x @ x)))
            if self.drift[i] > 1e-4:
                u.copy_(u @ (1.5 * self.eye[i] - 0.5 * (u.mT @ u)))
                self.drift[i] = self.drift[i] ** 2 + 1e-6
            u.grad = None
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)


class Free:
    def __init__(self, rate):
        layers = []
        for cols, rows in zip(SIDES, SIDES[1:]):
            layers += [torch.nn.Linear(cols, rows), torch.nn.ReLU()]
        self.net = torch.nn.Sequential(*layers[:-1])
        self.forward = self.net
        self.adam = torch.optim.Adam(self.net.parameters(), lr=rate, fused=True)

    def step(self):
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)


def torch_epoch(model, x, t, squared):
    """Seconds, and seconds of CPU time, of an epoch."""
    start, cpu = time.perf_counter(), time.process_time()
    order = torch.randperm(len(x))
    for first in range(0, len(x), 1024):
        rows = order[first : first + 1024]
        loss_of(model.forward(x[rows]), t[rows], squared).backward()
        model.step()
    return time.perf_counter() - start, time.process_time() - cpu


def machine():
    """As in the other rows: the processor, and how many of them."""
    with open("/proc/cpuinfo") as file:
        name = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    return f"{name} x{os.cpu_count()}"


def compare(options, x, t, segments, loss):
    """Medians over the rounds: our (wall, cpu, share of peak), PyTorch's (wall, cpu)."""
    rate = 1.2e-2 if segments == "all" else 1e-3
    model = Segmented(rate) if segments == "all" else Free(rate)
    torch_epoch(model, x, t, True)
    ours, theirs = [], []
    for _ in range(options.rounds):
        command = [options.program, str(options.threads), str(options.epochs), segments, loss]
        out = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        ours.append((out["epoch_s"], out["epoch_cpu_s"], out["share"]))
        epochs = [torch_epoch(model, x, t, loss == "squared") for _ in range(options.epochs)]
        theirs.append([statistics.median(column) for column in zip(*epochs)])
    return [[statistics.median(column) for column in zip(*side)] for side in (ours, theirs)]


def main(options):
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    x, t = data()
    rows = []
    for segments in ("all", "none"):
        for loss in ("squared", "hinge"):
            (wall, cpu, share), (their_wall, their_cpu) = compare(options, x, t, segments, loss)
            print(f"segments {segments}, {loss}, {options.threads} threads: {wall:.4f} s an epoch "
                  f"(CPU {cpu:.4f}), PyTorch {their_wall:.4f} s (CPU {their_cpu:.4f}): ratio "
                  f"{their_wall / wall:.2f} (CPU {their_cpu / cpu:.2f}); {share:.2f} of the GEMM peak",
                  flush=True)
            what = f"N=4 B=8, segmented {segments}, {loss}, {options.threads} threads, epoch"
            for name, ours, theirs in (("", wall, their_wall), (", CPU time", cpu, their_cpu)):
                rows.append([time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "train", machine(),
                             what + name, f"{ours:.6f}", "PyTorch", f"{theirs:.6f}",
                             f"{theirs / ours:.4f}", "s"])
            rows.append([rows[-1][0], "train", machine(), f"{what}, share of the GEMM peak", f"{share:.4f}",
                         "OpenBLAS sgemm", "1", f"{share:.4f}", "share"])
    with open(options.csv, "a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main(OPTIONS)
