# SPDX-License-Identifier: Apache-2.0
"""The grid's CSV files. A row is written by one write to a file opened for appending, so that grids
that share the files do not tear each other's rows; a row without its newline is not read."""

import csv
import io
import os
from pathlib import Path
from statistics import fmean, median
from typing import Any

from workloads.common import runlog
from workloads.common.errors import UserError
from workloads.grid.configs import Task

RUNS = ("workload", "config", "servers", "seed", "size", "steps", "batch", "lr", "parameters",
        "train_loss", "valid_loss", "best_valid_loss", "valid_top1", "best_valid_top1",
        "valid_top5", "gradient_bytes", "bytes_per_step", "seconds", "step_seconds",
        "seconds_quantise", "seconds_exchange", "seconds_switch", "seconds_dequantise",
        "relative_error", "version")
CURVES = ("workload", "config", "servers", "seed", "step", "train_loss", "valid_loss", "valid_top1")
_BIN = 10  # steps of a point of the training curve
_TAIL = 50  # steps whose mean is the final training loss


def _append(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        writer.writeheader()
    writer.writerows(rows)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, text.getvalue().encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """All whole rows; none if there is no file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    reader = csv.DictReader(io.StringIO(text[:text.rfind("\n") + 1]))
    if tuple(reader.fieldnames or ()) != columns:
        raise UserError(f"{path}: the columns {','.join(columns)} were expected")
    return list(reader)


def task_of(row: dict[str, str]) -> Task:
    return Task(row["workload"], row["config"], int(row["servers"]), int(row["seed"]))


def tasks_done(folder: Path) -> set[Task]:
    return {task_of(row) for row in read(folder / "runs.csv", RUNS)}


def _text(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def append(folder: Path, task: Task, log: Path) -> None:
    """The rows of a finished run: curves first, so that a run in runs.csv has its curve."""
    records = runlog.read(log)
    first, end = records[0], records[-1]
    steps = [record for record in records if record["type"] == "step"]
    key = {"workload": task.workload, "config": task.config, "servers": task.servers,
           "seed": task.seed}
    valid = [r for r in steps if "valid_loss" in r]
    top1 = [r["valid_top1"] for r in valid if "valid_top1" in r]
    row = {**key, **{name: first[name] for name in ("size", "steps", "batch", "lr", "parameters",
                                                    "gradient_bytes", "version")},
           "train_loss": fmean(r["loss"] for r in steps[-_TAIL:]),
           "valid_loss": valid[-1]["valid_loss"],
           "best_valid_loss": min(r["valid_loss"] for r in valid),
           "valid_top1": top1[-1] if top1 else "", "best_valid_top1": max(top1, default=""),
           "valid_top5": valid[-1].get("valid_top5", ""),
           "bytes_per_step": sum(r["bytes_sent"] for r in steps) // len(steps),
           "seconds": end["seconds"], "step_seconds": median(r["seconds"] for r in steps)}
    for part in ("quantise", "exchange", "switch", "dequantise"):
        name = f"seconds_{part}"
        row[name] = median(r[name] for r in steps) if name in steps[0] else ""
    measured = [r["error_rms"] / r["gradient_rms"] for r in steps if r.get("gradient_rms")]
    row["relative_error"] = fmean(measured) if measured else ""
    curve = []
    for last in range(_BIN, len(steps) + 1, _BIN):
        points = steps[last - _BIN:last]
        curve.append({**key, "step": last, "train_loss": _text(fmean(r["loss"] for r in points)),
                      "valid_loss": _text(points[-1].get("valid_loss", "")),
                      "valid_top1": _text(points[-1].get("valid_top1", ""))})
    _append(folder / "curves.csv", CURVES, curve)
    _append(folder / "runs.csv", RUNS, [{name: _text(value) for name, value in row.items()}])
