# SPDX-License-Identifier: Apache-2.0
"""ResNet50 on CIFAR-100: the usual augmentation, SGD with momentum, top-1 and top-5."""

import argparse
import math
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from workloads.common import launch
from workloads.common.errors import UserError
from workloads.common.workload import SampleOrder, server_count
from workloads.resnet50 import augment, cifar

_VALID_BATCH = 100
_WARM_UP = 0.3  # share of the steps in which one-cycle rises
_FALL = 1e-3    # of the highest rate, at one-cycle's ends

# tiny: a narrower network on ten classes, 200 images each, for grids of many runs.
# small: the whole network on a tenth of the images.
# full: the usual recipe for CIFAR; 50,000 images, the paper's 300 epochs by --epochs 300.
PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"width": 8, "classes": 10, "images": 20_000, "valid_images": 10_000, "epochs": 6,
             "batch": 16, "lr": 0.1, "valid_every": 94},
    "small": {"width": 64, "classes": 100, "images": 5000, "valid_images": 1000, "epochs": 10,
              "batch": 32, "lr": 0.1, "valid_every": 100},
    "full": {"width": 64, "classes": 100, "images": 50_000, "valid_images": 10_000, "epochs": 30,
             "batch": 32, "lr": 0.1, "valid_every": 391},
}


class ResNet50:
    """The workload `resnet50`; see workloads.common.workload.Workload."""

    name = "resnet50"

    def __init__(self, options: argparse.Namespace, train: cifar.Part, test: cifar.Part) -> None:
        # Imported here: it takes seconds, and bad options should be told before.
        import torchvision

        from workloads.resnet50.network import WIDTH, CifarResNet50

        self._options, self._train, self._test = options, train, test
        self._software = {"torchvision": torchvision.__version__}
        self._architecture = ("ResNet50, 3x3 first layer, no max-pool" if options.width == WIDTH
                              else f"ResNet50 narrowed from width {WIDTH} to {options.width}")
        self._device = launch.device(options.device)
        torch.manual_seed(options.seed)
        self.model: nn.Module = CifarResNet50(options.classes, options.width,
                                              options.zero_init).to(self._device)
        self._rank, self._workers = dist.get_rank(), dist.get_world_size()
        self._order = SampleOrder(train.labels.size, options.seed, server_count(options),
                                  options.batch)

    def configuration(self) -> dict[str, Any]:
        o = self._options
        return {
            "model": {"architecture": self._architecture, "width": o.width, "classes": o.classes,
                      "zero_init": o.zero_init},
            "data": {"train_sha256": self._train.sha256, "valid_sha256": self._test.sha256,
                     "images": int(self._train.labels.size),
                     "valid_images": int(self._test.labels.size),
                     "augmentation": "crop after padding by 4, flip"},
            "optimiser": {"name": "SGD", "momentum": o.momentum, "nesterov": o.nesterov,
                          "weight_decay": o.weight_decay, "schedule": o.schedule,
                          "label_smoothing": o.label_smoothing},
        }

    def software(self) -> dict[str, str]:
        return self._software

    def optimiser(self) -> torch.optim.Optimizer:
        o = self._options
        return torch.optim.SGD(self.model.parameters(), lr=o.lr, momentum=o.momentum,
                               nesterov=o.nesterov, weight_decay=o.weight_decay)

    def learning_rate(self, step: int) -> float:
        """cosine: warm-up over 5 % of the steps, then down to 0. one-cycle: up over 30 %, down to
        a thousandth, both along cosines."""
        highest, steps = self._options.lr, self._options.steps
        if self._options.schedule == "one-cycle":
            rise = max(1.0, _WARM_UP * steps)
            share = step / rise if step <= rise else 1 - (step - rise) / max(1.0, steps - rise)
            return highest * (_FALL + (1 - _FALL) * 0.5 * (1 - math.cos(math.pi * share)))
        warm_up = max(1, steps // 20)
        if step <= warm_up:
            return highest * step / warm_up
        return highest * 0.5 * (1 + math.cos(math.pi * (step - 1 - warm_up)
                                             / max(1, steps - warm_up)))

    def batch(self, step: int, server: int) -> tuple[torch.Tensor, torch.Tensor]:
        """images [batch, 3, 32, 32], labels [batch]"""
        indices = self._order.indices(step, server)
        images = augment.crop_and_flip(self._train.images[indices], self._options.seed,
                                       self._order.numbers(step, server))
        return (torch.from_numpy(augment.normalise(images)).to(self._device),
                torch.from_numpy(self._train.labels[indices]).to(self._device))

    def loss(self, model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        images, labels = batch
        return F.cross_entropy(model(images), labels,
                               label_smoothing=self._options.label_smoothing)

    def validate(self, model: nn.Module) -> dict[str, tuple[float, float]]:
        """Cross entropy, top-1 and top-5 over the test images rank, rank + workers, ..."""
        loss, top1, top5 = 0.0, 0, 0
        mine = range(self._rank, self._test.labels.size, self._workers)
        for first in range(0, len(mine), _VALID_BATCH):
            chosen = list(mine[first:first + _VALID_BATCH])
            images = torch.from_numpy(augment.normalise(self._test.images[chosen]))
            labels = torch.from_numpy(self._test.labels[chosen]).to(self._device)
            answers = model(images.to(self._device))
            loss += F.cross_entropy(answers, labels, reduction="sum").item()
            right = answers.topk(5, dim=1).indices == labels[:, None]
            top1 += int(right[:, 0].sum())
            top5 += int(right.any(dim=1).sum())
        count = float(len(mine))
        return {"valid_loss": (loss, count), "valid_top1": (float(top1), count),
                "valid_top5": (float(top5), count)}


def steps_of(options: argparse.Namespace, images: int) -> int:
    """Steps of --epochs; a step takes --batch images of every server, the last ones of an epoch
    together with the first of the next."""
    return max(1, math.ceil(options.epochs * images / (options.batch * server_count(options))))


def check(options: argparse.Namespace) -> None:
    """What the options ask of one another, and of BatchNorm."""
    if options.width % 8 != 0 and options.width not in (1, 2, 4):
        raise UserError(f"--width {options.width}: 1, 2, 4 or a multiple of 8 was expected")
    if not 5 <= options.classes <= cifar.CLASSES:
        raise UserError(f"--classes {options.classes}: 5 to {cifar.CLASSES} were expected")
    if options.batch < 2:
        raise UserError(f"--batch {options.batch}: BatchNorm needs 2 images a server at least")
    if options.nesterov and options.momentum == 0:
        raise UserError("--nesterov needs --momentum above 0")
