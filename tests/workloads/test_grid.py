# SPDX-License-Identifier: Apache-2.0
"""The grid: what is done is not done again, what was cut short goes on, and the figures derived
from the CSV are what NumPy says."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from workloads.common.errors import UserError
from workloads.grid import configs, results, summary

_ROOT = Path(__file__).resolve().parents[2]


def _log(folder, losses, valid, extra=()):
    """A finished run's log with these losses."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [{"type": "run", "format": "optinc-run-log", "format_version": 1, "size": "tiny",
                "steps": len(losses), "batch": 4, "lr": 0.1, "parameters": 10,
                "gradient_bytes": 40, "version": "0.1.0"}]
    records += [{"type": "step", "step": i + 1, "loss": loss, "seconds": 0.5, "bytes_sent": 7,
                 **dict(extra)} for i, loss in enumerate(losses)]
    records[-1]["valid_loss"] = valid
    records.append({"type": "end", "outcome": "finished", "step": len(losses), "seconds": 9.0})
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


def test_rows_and_their_reading(tmp_path):
    task = configs.Task("llama", "b8-ef", 4, 2)
    log = _log(tmp_path / "run", [float(i) for i in range(100)], 3.25,
               {"seconds_quantise": 0.25, "seconds_exchange": 0.0, "seconds_switch": 0.125,
                "seconds_dequantise": 0.5})
    results.append(tmp_path, task, log)
    row, = results.read(tmp_path / "runs.csv", results.RUNS)
    assert row["train_loss"] == "74.5"  # mean of 50 .. 99
    assert row["valid_loss"] == "3.25" and row["bytes_per_step"] == "7"
    assert row["seconds_switch"] == "0.125" and row["valid_top1"] == ""
    assert results.tasks_done(tmp_path) == {task}
    curve = results.read(tmp_path / "curves.csv", results.CURVES)
    assert [point["train_loss"] for point in curve[:2]] == ["4.5", "14.5"]
    # a row that a kill tore is not there
    with open(tmp_path / "runs.csv", "a", encoding="utf-8") as file:
        file.write("llama,b8,4,")
    assert results.tasks_done(tmp_path) == {task}
    (tmp_path / "runs.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UserError, match="runs.csv: the columns workload,config"):
        results.tasks_done(tmp_path)


def test_differences_are_paired_by_seed(tmp_path):
    random = np.random.default_rng(1)
    ring, ours = random.normal(size=5), random.normal(size=5)
    for seed in range(5):
        for name, values in (("ring", ring), ("b8-ef", ours)):
            results.append(tmp_path, configs.Task("llama", name, 4, seed),
                           _log(tmp_path / "run", [1.0] * 60, float(values[seed])))
    # a seed that has no ring does not count
    results.append(tmp_path, configs.Task("llama", "b8-ef", 4, 9),
                   _log(tmp_path / "run", [1.0] * 60, 100.0))
    found = summary.comparison(results.read(tmp_path / "runs.csv", results.RUNS), "llama", "b8-ef",
                               4, "valid_loss")
    difference = ours - ring
    assert found.seeds == 5
    assert abs(found.difference - difference.mean()) <= 1e-5
    assert abs(found.error - difference.std(ddof=1) / np.sqrt(5)) <= 1e-5
    assert abs(found.mean - ours.mean()) <= 1e-5
    rows = summary.load(tmp_path)
    assert {row["mean_train_loss"] for row in rows} == {"1.0"}
    assert "5 |" in summary.table(rows, "llama", 4)
    assert summary.comparison([], "llama", "b8-ef", 4, "valid_loss") is None


def test_every_task_is_of_a_known_configuration_and_stands_once():
    tasks = configs.tasks()
    assert len(set(tasks)) == len(tasks)
    assert len({c.name for c in configs.CONFIGS}) == len(configs.CONFIGS)
    for task in tasks:
        assert configs.config(task.config) and task.workload in configs.WORKLOADS
    seeds = {}
    for task in tasks:
        seeds.setdefault((task.workload, task.config, task.servers), set()).add(task.seed)
    assert all(len(found) >= 3 for (workload, _, _), found in seeds.items()
               if workload not in ("resnet50-full", "llama-paper"))


def _grid(folder, *more):
    command = [sys.executable, str(_ROOT / "workloads" / "grid" / "run.py"), "--output",
               str(folder / "grid"), "--results", str(folder / "results"), "--jobs", "1",
               "--only", "^llama/ring-k4-s1$", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_grid_is_stopped_and_resumed(tmp_path):
    """SIGTERM in the middle of a run leaves its checkpoint; the same command ends it, and once more
    finds nothing to do. The run is the grid's own, with fewer steps."""
    short = ("--more", "--steps", "16", "--valid-every", "16")
    first = _grid(tmp_path, *short)
    log = tmp_path / "grid" / "llama" / "ring-k4-s1" / "log.jsonl"
    deadline = time.monotonic() + 200
    while not (log.exists() and log.read_text().count("\n") > 3):
        assert time.monotonic() < deadline
        with pytest.raises(subprocess.TimeoutExpired):  # it has not ended
            first.wait(0.05)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=200)
    assert not (tmp_path / "results" / "runs.csv").exists()
    assert list(log.parent.glob("checkpoint-*"))
    second = _grid(tmp_path, *short)
    output, _ = second.communicate(timeout=250)
    assert second.returncode == 0, output
    assert "resume" in log.read_text()
    assert results.tasks_done(tmp_path / "results") == {configs.Task("llama", "ring", 4, 1)}
    third = _grid(tmp_path, "--list")
    assert third.communicate(timeout=100)[0].strip() == ""
