# SPDX-License-Identifier: Apache-2.0
"""What the grid runs: configurations of the averaging, workloads, and their order."""

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Design:
    """A switch, as a file in the grid's folder."""

    bits: int = 8
    variant: str = "half_up"
    method: str = "constructed"
    error_rate: Optional[float] = None
    epochs: Optional[int] = None  # trained: stopped after so many

    def file_name(self, ports: int) -> str:
        parts = [f"{ports}x{self.bits}", self.method]
        parts += [self.variant] if self.variant != "half_up" else []
        parts += [f"error-{self.error_rate:g}"] if self.error_rate is not None else []
        parts += [f"epochs-{self.epochs}"] if self.epochs is not None else []
        return "-".join(parts) + ".safetensors"


@dataclass(frozen=True)
class Config:
    """A way to average. `design` None: the float ring."""

    name: str
    label: str
    design: Optional[Design] = None
    options: tuple[str, ...] = ()


_BLOCKS, _SMALL_BLOCKS = ("--block-size", "256"), ("--block-size", "64")
_PLAIN = ("--no-alternate", *_BLOCKS)
_EF = ("--error-feedback", *_PLAIN)
_MENDED = ("--error-feedback", "--alternate", *_SMALL_BLOCKS)
_CHIP = ("--backend", "photonic", "--mapping", "direct", "--phase-sigma", "0.01",
         "--splitter-sigma", "0.01")
_REAL = ("--calibrate", "local", "--dac-bits", "8", "--receiver-noise", "12.86", "--shot-noise", "1", "--rin",
         "-160", "--laser-power", "10", "--oscillator-power", "10", "--extinction", "25")

# EF: error feedback. Mended: with alternating signs and blocks of 64 as well.
CONFIGS: tuple[Config, ...] = (
    Config("ring", "float ring"),
    Config("b8-mended", "8 bits, mended", Design(8), _MENDED),
    Config("b8-ef", "8 bits, EF", Design(8), _EF),
    Config("b8", "8 bits, no EF", Design(8), _PLAIN),
    Config("b8-ef-alternate", "8 bits, EF, alternating signs", Design(8),
           ("--error-feedback", "--alternate", *_BLOCKS)),
    Config("b8-ef-block64", "8 bits, EF, blocks of 64", Design(8),
           ("--error-feedback", "--no-alternate", *_SMALL_BLOCKS)),
    Config("b8-ef-stochastic", "8 bits, EF, stochastic switch", Design(8, "stochastic"), _EF),
    Config("b8-ef-stochastic64", "8 bits, EF, stochastic switch, blocks of 64",
           Design(8, "stochastic"), ("--error-feedback", "--no-alternate", *_SMALL_BLOCKS)),
    Config("b8-stochastic", "8 bits, no EF, stochastic switch", Design(8, "stochastic"), _PLAIN),
    Config("b8-ef-residual", "8 bits, EF, residual switch", Design(8, "residual"), _EF),
    Config("b4-mended", "4 bits, mended", Design(4), _MENDED),
    Config("b4-ef", "4 bits, EF", Design(4), _EF),
    Config("b4", "4 bits, no EF", Design(4), _PLAIN),
    Config("b4-ef-stochastic", "4 bits, EF, stochastic switch", Design(4, "stochastic"), _EF),
    Config("b4-ef-stochastic64", "4 bits, EF, stochastic switch, blocks of 64",
           Design(4, "stochastic"), ("--error-feedback", "--no-alternate", *_SMALL_BLOCKS)),
    Config("b4-ef-residual", "4 bits, EF, residual switch", Design(4, "residual"), _EF),
    Config("b16-ef", "16 bits, EF", Design(16), _EF),
    Config("b16", "16 bits, no EF", Design(16), _PLAIN),
    Config("b8-error-1e-3", "8 bits, mended, 0.1 % of cases wrong", Design(8, error_rate=1e-3),
           _MENDED),
    Config("b8-error-1e-2", "8 bits, mended, 1 % of cases wrong", Design(8, error_rate=1e-2),
           _MENDED),
    Config("b8-error-1e-1", "8 bits, mended, 10 % of cases wrong", Design(8, error_rate=1e-1),
           _MENDED),
    Config("b8-trained", "8 bits, mended, trained, stopped early",
           Design(8, method="trained", epochs=60), _MENDED),
    Config("b8-chip", "8 bits, mended, chips with noise and faults, corrected", Design(8),
           (*_MENDED, *_CHIP, *_REAL)),
    Config("b8-chip-raw", "8 bits, mended, chips with faults, not corrected", Design(8),
           (*_MENDED, *_CHIP)),
)


def config(name: str) -> Config:
    return next(c for c in CONFIGS if c.name == name)


@dataclass(frozen=True)
class Task:
    """One run."""

    workload: str
    config: str
    servers: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.workload}/{self.config}-k{self.servers}-s{self.seed}"


@dataclass(frozen=True)
class Workload:
    """A training job: the workload's module and its options."""

    module: str
    options: tuple[str, ...]


_LLAMA = ("--size", "tiny", "--steps", "300", "--valid-every", "150")

# Sizes that one core does in less than a minute.
WORKLOADS: dict[str, Workload] = {
    "llama": Workload("llama", (*_LLAMA, "--learning-rate", "2e-3")),
    "llama-fast": Workload("llama", (*_LLAMA, "--learning-rate", "5e-3")),
    "resnet50": Workload("resnet50", ("--size", "tiny", "--learning-rate", "0.05", "--zero-init")),
    # Not for their losses: that the whole models run, with their traffic and their times.
    "llama-paper": Workload("llama", ("--size", "paper", "--steps", "4", "--batch", "2",
                                      "--valid-every", "4")),
    "resnet50-full": Workload("resnet50", ("--size", "small", "--steps", "4", "--batch", "8",
                                           "--valid-every", "4", "--valid-images", "100")),
}


def _tasks(workload: str, names: list[str], servers: int, seeds: range) -> list[Task]:
    """Seed by seed, so that a grid that is stopped has whole comparisons."""
    return [Task(workload, name, servers, seed) for seed in seeds for name in names]


def tasks() -> list[Task]:
    """All runs, the most wanted first."""
    main = ["ring", "b8-mended", "b8-ef", "b8-ef-alternate", "b8-ef-stochastic64",
            "b8-ef-residual"]
    more = ["b8", "b8-ef-block64", "b8-ef-stochastic", "b8-stochastic"]
    bits = ["b4-mended", "b4-ef", "b4", "b4-ef-stochastic", "b4-ef-stochastic64", "b4-ef-residual",
            "b16-ef", "b16"]
    errors = ["b8-error-1e-3", "b8-error-1e-2", "b8-error-1e-1", "b8-trained", "b8-chip",
              "b8-chip-raw"]
    few = ["ring", "b8-mended", "b8-ef"]
    one, three, five, ten = (range(1, seeds + 1) for seeds in (1, 3, 5, 10))
    wanted = (_tasks("llama", main, 4, three) + _tasks("llama", bits, 4, three)
              + _tasks("llama", errors, 4, three) + _tasks("resnet50", few, 4, three)
              + _tasks("llama", main, 4, ten) + _tasks("llama-fast", main, 4, five)
              + _tasks("llama", few[:2], 8, three) + _tasks("resnet50-full", few[:2], 2, one)
              + _tasks("llama-paper", few[:2], 2, one) + _tasks("llama", few[:2], 16, three)
              + _tasks("llama", few[:2], 8, five) + _tasks("llama", few[:2], 16, five)
              + _tasks("llama", more, 4, five) + _tasks("resnet50", ["b4-mended"], 4, three)
              + _tasks("llama", bits + errors, 4, five))
    return list(dict.fromkeys(wanted))
