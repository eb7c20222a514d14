# SPDX-License-Identifier: Apache-2.0
"""Runs of the workloads with tiny models, on processes of the harness."""

import os
import signal
from pathlib import Path
from typing import Optional

import harness

harness.preload(["transformers.models.llama.modeling_llama", "tokenizers", "workloads.llama.train",
                 "torchvision.models.resnet", "workloads.resnet50.train"])

TINY = ["--layers", "1", "--hidden", "16", "--heads", "2", "--intermediate", "32",
        "--vocabulary", "300", "--sequence", "16", "--batch", "2", "--learning-rate", "0.01",
        "--valid-every", "4"]


# 50 layers all the same, but of 1 to 32 channels.
TINY_RESNET = ["--width", "1", "--classes", "100", "--images", "40", "--valid-images", "10",
               "--batch", "4", "--learning-rate", "0.05", "--valid-every", "2"]


def _resnet_main(arguments: list[str]) -> tuple[str, str]:
    from workloads.common.errors import UserError
    from workloads.resnet50 import train

    try:
        return "status", str(train.main(arguments))
    except UserError as error:
        return "user error", str(error)


def train_resnet(out: Path, data: Path, *more: str, workers: int = 2) -> list:
    """One answer of main a worker."""
    arguments = ["--output", str(out), "--data", str(data), *TINY_RESNET, *more]
    return harness.run(workers, _resnet_main, arguments, initialise=False)


def _main(arguments: list[str], kill: Optional[tuple[int, int, int]]) -> tuple[str, str]:
    """How main ends: ("status", number), ("user error", text) or ("failed", text).

    kill = (signal, rank or -1 for all, step): sent to itself at the beginning of that step.
    """
    from workloads.common.errors import TrainingFailed, UserError
    from workloads.llama import train
    from workloads.llama.workload import Llama

    if kill is not None:
        number, rank, step = kill
        learning_rate = Llama.learning_rate

        def killing(self: Llama, now: int) -> float:
            if now == step and rank in (-1, int(os.environ["RANK"])):
                os.kill(os.getpid(), number)
            return learning_rate(self, now)

        Llama.learning_rate = killing
    try:
        return "status", str(train.main(arguments))
    except UserError as error:
        return "user error", str(error)
    except TrainingFailed as error:
        return "failed", str(error)


def train(out: Path, text: Path, *more: str, workers: int = 2, tiny: bool = True,
          kill: Optional[tuple[int, int, int]] = None) -> list:
    """One answer of _main a worker; None for one that was killed."""
    arguments = ["--output", str(out), "--data", str(text), *(TINY if tiny else []), *more]
    dying = kill is not None and kill[0] == signal.SIGKILL
    return harness.run(workers, _main, arguments, kill, initialise=False,
                       may_die=tuple(range(workers)) if dying else ())
