# SPDX-License-Identifier: Apache-2.0
"""The usual augmentation of CIFAR: a crop out of the image padded by 4 on all sides, and a flip."""

from typing import Sequence

import numpy as np

from workloads.resnet50.cifar import SIDE

PADDING = 4
# Of the training set, scaled to 0 .. 1.
MEAN = np.array([0.5070752, 0.4865488, 0.4409178], dtype=np.float32).reshape(1, 3, 1, 1)
DEVIATION = np.array([0.2673343, 0.2564385, 0.2761505], dtype=np.float32).reshape(1, 3, 1, 1)
_STREAM = 1 << 32  # apart from the keys of the samples' order


def normalise(images: np.ndarray) -> np.ndarray:
    """uint8 [count, 3, 32, 32] to float32 of mean 0 and deviation 1."""
    return (images.astype(np.float32) / 255 - MEAN) / DEVIATION


def crop_and_flip(images: np.ndarray, seed: int, numbers: Sequence[int]) -> np.ndarray:
    """Image i is shifted by up to PADDING each way, zeros coming in, and mirrored half of the time.
    What happens to it depends on seed and numbers[i] alone, so a resumed run sees it again."""
    padded = np.pad(images, ((0, 0), (0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    result = np.empty_like(images)
    for i, number in enumerate(numbers):
        random = np.random.Generator(np.random.Philox(key=[seed, _STREAM + number]))
        top, left = random.integers(0, 2 * PADDING + 1, size=2)
        crop = padded[i, :, top:top + SIDE, left:left + SIDE]
        result[i] = crop[:, :, ::-1] if random.integers(2) else crop
    return result
