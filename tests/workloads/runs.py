# SPDX-License-Identifier: Apache-2.0
"""Runs of the llama workload with a tiny model, on processes of the harness."""

import os
import signal
from pathlib import Path
from typing import Optional

import harness

harness.preload(["transformers.models.llama.modeling_llama", "tokenizers", "workloads.llama.train"])

TINY = ["--layers", "1", "--hidden", "16", "--heads", "2", "--intermediate", "32",
        "--vocabulary", "300", "--sequence", "16", "--batch", "2", "--lr", "0.01",
        "--valid-every", "4"]


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
    arguments = ["--out", str(out), "--data", str(text), *(TINY if tiny else []), *more]
    dying = kill is not None and kill[0] == signal.SIGKILL
    return harness.run(workers, _main, arguments, kill, initialise=False,
                       may_die=tuple(range(workers)) if dying else ())
