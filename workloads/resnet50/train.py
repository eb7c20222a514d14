#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains ResNet50 on CIFAR-100, its gradients averaged by a ring or by OptINC.

    torchrun --standalone --nproc-per-node 4 workloads/resnet50/train.py --size full --data DIR \
        --output RUN_DIR
    torchrun --standalone --nproc-per-node 4 workloads/resnet50/train.py --size full --data DIR \
        --output RUN_DIR --collective optinc --design design.safetensors
"""

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workloads.common import launch, options as common_options  # noqa: E402
from workloads.common.trainer import Trainer  # noqa: E402
from workloads.resnet50 import cifar, workload  # noqa: E402

_PRESETS = workload.PRESETS


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text}: a number from 0 to below 1 was expected")
    return value


def _parser() -> common_options.Parser:
    parser = common_options.parser("Trains ResNet50 on CIFAR-100.", list(_PRESETS))
    model = parser.add_argument_group("model and data (defaults by --size)")
    model.add_argument("--width", type=common_options.positive,
                       help="channels of the first layer; 64 is ResNet50, less a narrower network")
    model.add_argument("--zero-init", action="store_true",
                       help="residual branches start as zero")
    model.add_argument("--classes", type=common_options.positive,
                       help="images of the first so many fine classes alone")
    model.add_argument("--images", type=common_options.positive, help="the first of train.bin")
    model.add_argument("--valid-images", type=common_options.positive, help="the first of test.bin")
    model.add_argument("--epochs", type=common_options.positive,
                       help="of the images; --steps overrules it")
    sgd = parser.add_argument_group("SGD")
    sgd.add_argument("--momentum", type=_share, default=0.9, help="(0.9)")
    sgd.add_argument("--nesterov", action="store_true")
    sgd.add_argument("--weight-decay", type=_share, default=5e-4, help="(0.0005)")
    sgd.add_argument("--schedule", choices=("cosine", "one-cycle"), default="cosine",
                     help="(cosine)")
    sgd.add_argument("--label-smoothing", type=_share, default=0.0, help="(0)")
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    options = common_options.parse(_parser(), arguments)
    common_options.with_preset(options, _PRESETS[options.size])
    workload.check(options)
    common_options.require(options.data is not None,
                           "--data DIR with train.bin and test.bin was expected "
                           "(workloads/resnet50/download.py fetches CIFAR-100)")
    launch.initialise(options.timeout)
    train, test = launch.agree(lambda: (
        cifar.load(options.data / "train.bin", options.images, "train", options.classes),
        cifar.load(options.data / "test.bin", options.valid_images, "test", options.classes)))
    options.steps = options.steps or workload.steps_of(options, train.labels.size)
    return Trainer(workload.ResNet50(options, train, test), options).run()


if __name__ == "__main__":
    launch.run_main(main)
