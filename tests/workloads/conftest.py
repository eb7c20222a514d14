# SPDX-License-Identifier: Apache-2.0
"""A short text and a design, made once a session."""

import subprocess
import sys
from pathlib import Path

import pytest

_EXCERPT = Path(__file__).resolve().parents[2] / "workloads" / "data" / "wikipedia-excerpt"
_MAKE = """
import sys, optinc_torch
for ports in (2, 4):
    optinc_torch.Design.construct(ports, 8).save(f"{sys.argv[1]}/{ports}x8.safetensors")
"""


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first lines of the excerpt."""
    folder = tmp_path_factory.mktemp("text")
    for part, lines in (("train", 120), ("valid", 20)):
        whole = (_EXCERPT / f"{part}.txt").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{part}.txt").write_text("".join(whole[:lines]), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def designs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with 2x8.safetensors and 4x8.safetensors."""
    folder = tmp_path_factory.mktemp("designs")
    subprocess.run([sys.executable, "-c", _MAKE, str(folder)], check=True, timeout=120)
    return folder
