# SPDX-License-Identifier: Apache-2.0
"""LlamaForCausalLM from its configuration alone, random weights, on windows of the text."""

import argparse
import math
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from workloads.common import launch
from workloads.common.workload import SampleOrder, server_count
from workloads.llama import text

_VALID_BATCH = 16
_LR_FLOOR = 0.1  # of the highest rate, at the last step
_BETAS = (0.9, 0.95)
_WEIGHT_DECAY = 0.1

# tiny: a minute on one core, for grids of many runs.
# demo: both runs of four workers within ten minutes on two cores.
# paper: the model and the steps of arXiv 2603.28290; batch, sequence and vocabulary are our choice.
PRESETS: dict[str, dict[str, Any]] = {
    "demo": {"steps": 550, "batch": 8, "lr": 1.5e-3, "valid_every": 50, "sequence": 96,
             "vocabulary": 1024, "layers": 4, "hidden": 128, "heads": 4, "intermediate": 352},
    "tiny": {"steps": 400, "batch": 4, "lr": 2e-3, "valid_every": 50, "sequence": 64,
             "vocabulary": 512, "layers": 2, "hidden": 64, "heads": 4, "intermediate": 176},
    "paper": {"steps": 50_000, "batch": 8, "lr": 6e-4, "valid_every": 500, "sequence": 256,
              "vocabulary": 8192, "layers": 8, "hidden": 384, "heads": 8, "intermediate": 1024},
}


class Llama:
    """The workload `llama`; see workloads.common.workload.Workload."""

    name = "llama"

    def __init__(self, options: argparse.Namespace, data: text.Text) -> None:
        # Imported here: it takes seconds, and bad options should be told before.
        import transformers
        from transformers.models.llama import LlamaConfig, LlamaForCausalLM

        self._options, self._text = options, data
        self._software = {"transformers": transformers.__version__}
        torch.manual_seed(options.seed)
        self._config = LlamaConfig(
            vocab_size=data.vocabulary, hidden_size=options.hidden,
            intermediate_size=options.intermediate, num_hidden_layers=options.layers,
            num_attention_heads=options.heads, num_key_value_heads=options.heads,
            max_position_embeddings=options.sequence, tie_word_embeddings=False, use_cache=False)
        self._device = launch.device(options.device)
        self.model: nn.Module = LlamaForCausalLM(self._config).to(self._device)
        self._rank, self._workers = dist.get_rank(), dist.get_world_size()
        windows = (data.train.size - 1) // options.sequence
        self._order = SampleOrder(windows, options.seed, server_count(options), options.batch)

    def configuration(self) -> dict[str, Any]:
        o, data = self._options, self._text
        return {
            "model": {"architecture": "LlamaForCausalLM", "layers": o.layers, "hidden": o.hidden,
                      "heads": o.heads, "intermediate": o.intermediate, "sequence": o.sequence,
                      "vocabulary": data.vocabulary},
            "data": {"train_sha256": data.train_sha256, "valid_sha256": data.valid_sha256,
                     "tokenizer_sha256": data.tokenizer_sha256,
                     "train_tokens": int(data.train.size), "valid_tokens": int(data.valid.size)},
            "optimiser": {"name": "AdamW", "betas": list(_BETAS), "weight_decay": _WEIGHT_DECAY,
                          "schedule": "linear warm-up over 5 % of the steps, then cosine",
                          "floor": _LR_FLOOR},
        }

    def software(self) -> dict[str, str]:
        return self._software

    def optimiser(self) -> torch.optim.Optimizer:
        """Weight decay for matrices, none for norms."""
        matrices = [p for p in self.model.parameters() if p.ndim >= 2]
        vectors = [p for p in self.model.parameters() if p.ndim < 2]
        return torch.optim.AdamW([{"params": matrices, "weight_decay": _WEIGHT_DECAY},
                                  {"params": vectors, "weight_decay": 0.0}],
                                 lr=self._options.lr, betas=_BETAS)

    def learning_rate(self, step: int) -> float:
        highest, steps = self._options.lr, self._options.steps
        warm_up = max(1, steps // 20)
        if step <= warm_up:
            return highest * step / warm_up
        progress = (step - warm_up) / max(1, steps - warm_up)
        return highest * (_LR_FLOOR + (1 - _LR_FLOOR) * 0.5 * (1 + math.cos(math.pi * progress)))

    def _window(self, tokens: Any, index: int) -> torch.Tensor:
        """[sequence + 1]: the inputs, and shifted by one the targets."""
        start, sequence = index * self._options.sequence, self._options.sequence
        return torch.from_numpy(tokens[start:start + sequence + 1].astype("int64"))

    def _windows(self, tokens: Any, indices: list[int]) -> torch.Tensor:
        return torch.stack([self._window(tokens, i) for i in indices]).to(self._device)

    def batch(self, step: int, server: int) -> torch.Tensor:
        """[batch, sequence + 1] token ids."""
        return self._windows(self._text.train, self._order.indices(step, server))

    def loss(self, model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        return self._cross_entropy(model, batch, "mean")

    @staticmethod
    def _cross_entropy(model: nn.Module, batch: torch.Tensor, reduction: str) -> torch.Tensor:
        logits = model(input_ids=batch[:, :-1]).logits  # [batch, sequence, vocabulary]
        return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), reduction=reduction)

    def validate(self, model: nn.Module) -> dict[str, tuple[float, float]]:
        """Nats a token over the windows rank, rank + workers, ... of the validation text."""
        windows = (self._text.valid.size - 1) // self._options.sequence
        mine = list(range(self._rank, windows, self._workers))
        total, count = 0.0, 0
        for first in range(0, len(mine), _VALID_BATCH):
            batch = self._windows(self._text.valid, mine[first:first + _VALID_BATCH])
            total += self._cross_entropy(model, batch, "sum").item()
            count += batch[:, 1:].numel()
        return {"valid_loss": (total, float(count))}
