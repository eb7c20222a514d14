#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a LLaMA-based model on Wikipedia text, its gradients averaged by a ring or by OptINC.

    torchrun --standalone --nproc-per-node 4 workloads/llama/train.py --output RUN_DIR
    torchrun --standalone --nproc-per-node 4 workloads/llama/train.py --output RUN_DIR \
        --collective optinc --design design.safetensors
"""

import os
import sys
from pathlib import Path
from typing import Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched: weights are random
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from workloads.common import launch, options as common_options  # noqa: E402
from workloads.common.trainer import Trainer  # noqa: E402
from workloads.llama import text  # noqa: E402
from workloads.llama.workload import PRESETS, Llama  # noqa: E402


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = common_options.parser("Trains a LLaMA-based model on Wikipedia text.", list(PRESETS))
    model = parser.add_argument_group("model (defaults by --size)")
    for name in ("vocabulary", "sequence", "layers", "hidden", "heads", "intermediate"):
        model.add_argument(f"--{name}", type=common_options.positive)
    model.add_argument("--cache", type=Path, metavar="DIR",
                       help="where tokenizer and tokens are kept (RUN_DIR)")
    options = common_options.parse(parser, arguments)
    common_options.with_preset(options, PRESETS[options.size])
    common_options.require(options.hidden % (2 * options.heads) == 0,
                           f"--hidden {options.hidden}: a multiple of twice --heads "
                           f"{options.heads} was expected")
    launch.initialise(options.timeout)
    data_dir, cache_dir = options.data or text.EXCERPT, options.cache or options.out
    data = launch.first_rank_first(
        lambda: text.load(data_dir, cache_dir, options.vocabulary, options.sequence))
    return Trainer(Llama(options, data), options).run()


if __name__ == "__main__":
    launch.run_main(main)
