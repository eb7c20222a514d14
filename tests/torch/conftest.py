# SPDX-License-Identifier: Apache-2.0
"""Designs that the tests share, constructed once a session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_MAKE = """
import sys, optinc_torch
folder = sys.argv[1]
for ports, bits in ((2, 8), (4, 8), (8, 8), (4, 4), (4, 16)):
    optinc_torch.Design.construct(ports, bits, table=ports == 4 and bits == 8).save(
        f"{folder}/{ports}x{bits}.safetensors")
optinc_torch.Design.construct(4, 8, activation="relu").save(f"{folder}/4x8-relu.safetensors")
"""


@pytest.fixture(scope="session")
def designs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with PORTSxBITS.safetensors. Made in a process of its own: the tests' processes are
    forked, and the libraries' threads must not have run before that."""
    folder = tmp_path_factory.mktemp("designs")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", _MAKE, str(folder)], check=True, timeout=120,
                   env=environment)
    return folder
