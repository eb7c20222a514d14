# SPDX-License-Identifier: Apache-2.0
"""Signs that free the switch's rounding from its bias."""

import torch


def negate_alternate(values: torch.Tensor, step: int) -> None:
    """Negates, in place, the elements of odd index in even steps and those of even index in odd
    ones. The switch's half up is half down for what was negated, so its mean error of +1/(2N) of a
    code step (docs/proofs.md) changes sign from step to step. Codes are symmetric about zero:
    nothing else changes. Done twice it is undone."""
    values[(step + 1) % 2::2].neg_()
