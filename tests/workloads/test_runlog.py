# SPDX-License-Identifier: Apache-2.0
"""The run log and the comparison that reads it."""

import json

import pytest

from workloads.common import compare, runlog
from workloads.common.errors import UserError


def _steps(log, first, last, **more):
    for step in range(first, last + 1):
        log.write({"type": "step", "step": step, "loss": 10.0 / step, "seconds": 0.5,
                   "bytes_sent": 100, **more})


def _finished(path, name, valid_loss, **more):
    log = runlog.RunLog.start(path, {"name": name, "gradient_bytes": 50})
    _steps(log, 1, 4, **more)
    log.write({"type": "end", "outcome": "finished", "step": 4, "valid_loss": valid_loss,
               "seconds": 2.0, "bytes_sent": 400})
    log.close()


def test_resuming_drops_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    log = runlog.RunLog.start(path, {"name": "x"})
    _steps(log, 1, 5)
    log.close()
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"type": "step", "st')  # killed while writing
    log = runlog.RunLog.resume(path, 3)
    _steps(log, 4, 6)
    log.close()
    records = runlog.read(path)
    assert [r["step"] for r in records if r["type"] == "step"] == [1, 2, 3, 4, 5, 6]
    assert [(r["type"], r.get("step")) for r in records][3:5] == [("step", 3), ("resume", 3)]


def test_resuming_needs_the_steps_before(tmp_path):
    path = tmp_path / "log.jsonl"
    log = runlog.RunLog.start(path, {"name": "x"})
    _steps(log, 1, 2)
    log.close()
    before = path.read_bytes()
    with pytest.raises(UserError, match="steps 1 to 3 were expected"):
        runlog.RunLog.resume(path, 3)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content,message", [
    ("", "not a run log"), ('{"type": "run"}\n', "not a run log"), ("{\n", "line 1 is not JSON"),
    ("[1]\n", 'an object with the key "type"')])
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        runlog.read(path)


def test_nan_is_never_written(tmp_path):
    log = runlog.RunLog.start(tmp_path / "log.jsonl", {"name": "x"})
    with pytest.raises(ValueError):
        log.write({"type": "step", "step": 1, "loss": float("nan")})
    log.close()


def test_comparison(tmp_path, capsys):
    _finished(tmp_path / "a.jsonl", "ring", 3.0)
    _finished(tmp_path / "b.jsonl", "optinc", 3.0123, error_max=0.5, error_bound=2.0,
              seconds_quantise=0.00125, seconds_exchange=0.5, seconds_switch=0.0,
              seconds_dequantise=0.25)
    assert compare.main([str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]) == 0
    output = capsys.readouterr().out
    assert "optinc against ring: validation loss +0.0123, 1.0000 of the bytes" in output
    assert "0.250" in output and "2.0000" in output
    lines = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line.strip()}
    assert lines["quantise"] == ["-", "1.250", "ms"] and lines["exchange"] == ["-", "500.000", "ms"]


def test_comparison_of_a_run_that_is_not_finished(tmp_path, capsys):
    (tmp_path / "log.jsonl").write_text(json.dumps(
        {"type": "run", "format": runlog.FORMAT, "name": "x"}) + "\n")
    assert compare.main([str(tmp_path)]) == 2
    assert "the run is not finished" in capsys.readouterr().err
