# SPDX-License-Identifier: Apache-2.0
"""CIFAR-100 from its binary files: records of a coarse label, a fine label and 3 x 32 x 32 bytes.

Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images, technical report, University
of Toronto, 2009; https://www.cs.toronto.edu/~kriz/cifar.html
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from workloads.common.errors import UserError
from workloads.common.files import sha256

SIDE = 32
PIXELS = 3 * SIDE * SIDE
RECORD = 2 + PIXELS
COARSE_CLASSES, CLASSES = 20, 100
RECORDS = {"train": 50_000, "test": 10_000}


@dataclass(frozen=True)
class Part:
    """images [count, 3, 32, 32] uint8, labels [count] int64 of the fine classes."""

    images: np.ndarray
    labels: np.ndarray
    sha256: str  # of the records that were taken


def load(path: Path, records: Optional[int], part: str, classes: int = CLASSES) -> Part:
    """Of the first `records` of a file (None: all) those of the first `classes` fine classes. A
    file that is not what CIFAR-100's would be is a UserError."""
    expected = RECORDS[part]
    if records is not None and records > expected:
        raise UserError(f"{path}: {records} images were asked for, CIFAR-100 has {expected} there")
    try:
        size = path.stat().st_size
        if size != expected * RECORD:
            hint = (f"; it breaks off in record {size // RECORD + 1}" if size < expected * RECORD
                    else "")
            raise UserError(f"{path}: {size} bytes, {expected * RECORD} were expected ({expected} "
                            f"records of {RECORD}){hint}")
        data = np.fromfile(path, dtype=np.uint8, count=(records or expected) * RECORD)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; workloads/resnet50/download.py fetches "
                        "CIFAR-100") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    rows = data.reshape(-1, RECORD)
    for column, name, count in ((0, "coarse", COARSE_CLASSES), (1, "fine", CLASSES)):
        wrong = np.flatnonzero(rows[:, column] >= count)
        if wrong.size:
            raise UserError(f"{path}: record {wrong[0] + 1} has the {name} label "
                            f"{rows[wrong[0], column]}, 0 to {count - 1} were expected")
    rows = rows[rows[:, 1] < classes]
    if len(rows) == 0:
        raise UserError(f"{path}: no image of the first {classes} classes among the first "
                        f"{records or expected}")
    return Part(images=rows[:, 2:].reshape(-1, 3, SIDE, SIDE),
                labels=rows[:, 1].astype(np.int64), sha256=sha256(rows.tobytes()))
