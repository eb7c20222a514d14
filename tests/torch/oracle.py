# SPDX-License-Identifier: Apache-2.0
"""The switch's mean in NumPy, written from docs/proofs.md and docs/training.md and not from the C code.

Integers in int64, scales as exact powers of two in float64.
"""

from typing import Optional

import numpy as np

ZERO, NON_FINITE = 0, 255


def exponent_bytes(x: np.ndarray, bits: int, block: int) -> np.ndarray:
    """One byte a block of x [count] float32."""
    lowest = 130 - bits - 253
    largest_code = 2 ** (bits - 1) - 1
    result = []
    for first in range(0, x.size, block):
        part = x[first:first + block].astype(np.float64)
        if not np.isfinite(part).all():
            result.append(NON_FINITE)
            continue
        peak = np.abs(part).max()
        if peak == 0:
            result.append(ZERO)
            continue
        e = lowest
        while peak > largest_code * np.ldexp(1.0, e):
            e += 1
        result.append(e - lowest + 1)
    return np.array(result, dtype=np.int64)


def reduce_mean(inputs: list[np.ndarray], ports: int, bits: int, block: int = 256,
                feedback: Optional[list[np.ndarray]] = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """Mean [count] float32 of the servers' inputs, and what each server carries to the next step.

    Non-finite blocks: the float32 mean, nothing carried. feedback: what each server carried here.
    """
    servers, count = len(inputs), inputs[0].size
    carried = [x if feedback is None else (x + feedback[i]).astype(np.float32)
               for i, x in enumerate(inputs)]
    agreed = np.max([exponent_bytes(x, bits, block) for x in carried], axis=0, initial=0)
    agreed = np.repeat(agreed, block)[:count]
    scale = np.ldexp(1.0, (agreed - 1 + 130 - bits - 253).astype(np.int64))
    finite = (agreed != ZERO) & (agreed != NON_FINITE)
    zero_code, top = 2 ** (bits - 1), 2 ** (bits - 1) - 1
    total = np.full(count, (ports - servers) * zero_code, dtype=np.int64)
    left = []
    for x in carried:
        wide = np.where(finite, x, 0).astype(np.float64)
        code = np.clip(np.rint(wide / scale), -top, top).astype(np.int64)
        total += code + zero_code
        left.append(np.where(finite, wide - code * scale, 0).astype(np.float32))
    r = (total + ports // 2) // ports
    mean = np.where(finite, (r - zero_code) * scale * ports / servers, 0.0).astype(np.float32)
    with np.errstate(invalid="ignore"):
        float_mean = (np.sum(np.stack(carried), axis=0, dtype=np.float32) / servers).astype(
            np.float32)
    return np.where(agreed == NON_FINITE, float_mean, mean).astype(np.float32), left
