# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: a folder a step, complete or absent.

RUN_DIR/checkpoint-000200/
    run.json    step, and the configuration that a resuming run must share
    model.pt    model and optimiser, the same on every worker
    rank-R.pt   what is each worker's own: random state, error feedback

A folder is filled under another name and renamed when every worker is done, so a run that is killed
while it writes leaves the checkpoint before untouched. RUN_DIR must be one folder for all workers.
"""

import json
import pickle
import re
import shutil
from pathlib import Path
from typing import Any, Optional

import torch
import torch.distributed as dist

from workloads.common.errors import UserError
from workloads.common.files import write_atomically, write_text_atomically
from workloads.common.launch import agree

_NAME = re.compile(r"checkpoint-(\d{6,})")


def latest(run_dir: Path) -> Optional[Path]:
    """The newest complete checkpoint of a run, None if there is none."""
    found = [path for path in run_dir.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return max(found, key=lambda path: int(path.name.split("-")[1]), default=None)


def remove_all(run_dir: Path) -> None:
    """Removes every checkpoint of a run, half-written ones too. Not collective."""
    for pattern in ("checkpoint-*", "filling-*"):
        for path in run_dir.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)


def _save_tensors(path: Path, state: dict[str, Any]) -> None:
    write_atomically(path, lambda temporary: torch.save(state, temporary))


def _load_tensors(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; the checkpoint is not complete") from error
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise UserError(f"{path}: not a readable checkpoint: {error}") from error


def save(run_dir: Path, step: int, configuration: dict[str, Any], shared: dict[str, Any],
         own: dict[str, Any]) -> Path:
    """Writes the checkpoint of `step` and removes older ones. Collective; a failure on any worker
    is a UserError on all of them."""
    rank = dist.get_rank()
    final = run_dir / f"checkpoint-{step:06d}"
    filling = run_dir / f"filling-{step:06d}"

    def write() -> None:
        _save_tensors(filling / f"rank-{rank}.pt", own)
        if rank == 0:
            _save_tensors(filling / "model.pt", shared)
            content = {"step": step, "configuration": configuration}
            write_text_atomically(filling / "run.json", json.dumps(content, indent=1) + "\n")

    def publish() -> None:
        if rank != 0:
            return
        try:
            filling.rename(final)
        except OSError as error:
            raise UserError(f"{final}: cannot be written: {error.strerror or error}") from error
        for path in run_dir.iterdir():
            if (_NAME.fullmatch(path.name) and path != final) or path.name.startswith("filling-"):
                shutil.rmtree(path, ignore_errors=True)

    def start() -> None:
        if rank == 0:
            shutil.rmtree(filling, ignore_errors=True)
            shutil.rmtree(final, ignore_errors=True)

    agree(start)
    agree(write)
    agree(publish)
    return final


def load(path: Path, configuration: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Step, shared state and this worker's own state. A checkpoint of another configuration is a
    UserError that names what differs."""
    try:
        content = json.loads((path / "run.json").read_text(encoding="utf-8"))
        step, saved = int(content["step"]), dict(content["configuration"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path / 'run.json'}: not a readable checkpoint: {error}") from error
    configuration = json.loads(json.dumps(configuration))
    differing = sorted(key for key in saved.keys() | configuration.keys()
                       if saved.get(key) != configuration.get(key))
    if differing:
        changes = "; ".join(
            f"{key}: {saved.get(key)} in the checkpoint, {configuration.get(key)} now"
            for key in differing)
        raise UserError(f"{path}: made by another run ({changes})")
    own = _load_tensors(path / f"rank-{dist.get_rank()}.pt")
    return step, _load_tensors(path / "model.pt"), own
