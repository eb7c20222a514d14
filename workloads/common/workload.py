# SPDX-License-Identifier: Apache-2.0
"""What a workload gives to the trainer."""

import argparse
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import nn


def server_count(options: argparse.Namespace) -> int:
    """K: the virtual servers of this process, or the processes."""
    return options.virtual_servers or dist.get_world_size()


def servers_here(options: argparse.Namespace) -> range:
    """The servers whose gradients this process computes."""
    rank = dist.get_rank()
    return range(options.virtual_servers) if options.virtual_servers else range(rank, rank + 1)


class Workload(Protocol):
    """Model, data, loss. Everything is a pure function of the options and of the step, so a run
    that is resumed sees the data that it would have seen."""

    name: str
    model: nn.Module

    def configuration(self) -> dict[str, Any]:
        """Keys of the run log's first line: model, data and whatever else decides the curve."""

    def software(self) -> dict[str, str]:
        """Versions of the packages that the workload uses beside PyTorch and NumPy."""

    def optimiser(self) -> torch.optim.Optimizer:
        """Over `model`; called once."""

    def learning_rate(self, step: int) -> float:
        """Of step 1 .. steps."""

    def batch(self, step: int, server: int) -> Any:
        """A server's samples of step 1 .. steps, on the model's device."""

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
        """Mean loss of a batch; `model` is the DDP wrapper or the model itself."""

    def validate(self, model: nn.Module) -> dict[str, tuple[float, float]]:
        """Name -> (sum, count) over this worker's share of the validation data; the trainer adds
        up all workers' and divides. "valid_loss" must be among the names."""


class SampleOrder:
    """Order of the samples: a permutation an epoch, keyed by seed and epoch alone.

    The servers of a step take consecutive samples of it, so the same global batch is seen however
    many servers share it.
    """

    def __init__(self, sample_count: int, seed: int, servers: int, batch: int) -> None:
        self._count, self._seed = sample_count, seed
        self._global_batch, self._batch = servers * batch, batch
        self._epoch = -1
        self._permutation = np.empty(0, dtype=np.int64)

    def numbers(self, step: int, server: int) -> range:
        """Places of a server's samples of step 1, 2, ... in the order of all samples that a run
        sees."""
        first = (step - 1) * self._global_batch + server * self._batch
        return range(first, first + self._batch)

    def indices(self, step: int, server: int) -> list[int]:
        """Sample indices of a server in step 1, 2, ..."""
        return [self._index(number) for number in self.numbers(step, server)]

    def _index(self, number: int) -> int:
        epoch, position = divmod(number, self._count)
        if epoch != self._epoch:
            random = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
            self._epoch, self._permutation = epoch, random.permutation(self._count)
        return int(self._permutation[position])
