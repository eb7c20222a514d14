# SPDX-License-Identifier: Apache-2.0
"""Bad input ends in one clear line on every worker, and nothing is half written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runs
from workloads.common import runlog

_ROOT = Path(__file__).resolve().parents[2]


def _error(answers, kind="user error"):
    """The message, which all workers must agree on."""
    assert {answer[0] for answer in answers} == {kind}, answers
    assert len({answer[1] for answer in answers}) == 1, answers
    return answers[0][1]


def test_missing_data(tmp_path):
    message = _error(runs.train(tmp_path / "out", tmp_path / "nothing"))
    assert "nothing: no such folder; one with train.txt and valid.txt was expected" in message


@pytest.mark.parametrize("train,expected", [
    (None, "train.txt: no such file"),
    (b"", "train.txt: empty; text was expected"),
    (b" \n \n", "train.txt: empty; text was expected"),
    (b"some text \xff\xfe and more", "train.txt: not UTF-8 text (byte 10)"),
    (b"a b", "train.txt: 2 tokens, at least 17 were expected"),
])
def test_wrong_data(text, tmp_path, train, expected):
    data = tmp_path / "data"
    data.mkdir()
    (data / "valid.txt").write_bytes((text / "valid.txt").read_bytes())
    if train is not None:
        (data / "train.txt").write_bytes(train)
    assert expected in _error(runs.train(tmp_path / "out", data))
    assert not (tmp_path / "out" / "log.jsonl").exists()


def test_bad_options(text, designs, tmp_path):
    design = ["--collective", "optinc", "--design", str(designs / "4x8.safetensors")]
    for options, expected in (
            (["--collective", "optinc"], "needs --design FILE"),
            (["--bits", "8"], "--bits is for --collective optinc"),
            (["--error-feedback"], "--error-feedback is for --collective optinc"),
            (["--resume", "--overwrite"], "exclude each other"),
            (["--steps", "0"], "at least 1 was expected"),
            (["--hidden", "17"], "a multiple of twice --heads 2 was expected"),
            ([*design, "--backend", "magic"], "--backend"),
            ([*design, "--phase-sigma", "0.01"], "--phase-sigma is for --backend photonic"),
            ([*design, "--backend", "photonic", "--phase-sigma", "-1"],
             "phase_sigma_rad is -1, expected 0 .. 10"),
            ([*design, "--backend", "photonic", "--device-file", "none.yaml"], "none.yaml"),
            (["--size", "huge"], "--size")):
        assert expected in _error(runs.train(tmp_path / "out", text, *options, workers=1))


def test_bad_designs(text, designs, tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes((designs / "4x8.safetensors").read_bytes()[:-7])
    for design, more, expected in (
            (tmp_path / "none.safetensors", [], "none.safetensors"),
            (bad, [], "bad.safetensors"),
            (designs / "4x8.safetensors", ["--bits", "4"], "a design for 8 bits, not for 4")):
        answers = runs.train(tmp_path / "out", text, "--collective", "optinc", "--design",
                             str(design), *more)
        assert expected in _error(answers)


def test_more_workers_than_ports(text, designs, tmp_path):
    answers = runs.train(tmp_path / "out", text, "--collective", "optinc", "--design",
                         str(designs / "2x8.safetensors"), workers=3)
    assert "a switch with 2 ports cannot serve 3 workers" in _error(answers)


def test_runs_that_are_there_already(text, tmp_path):
    out = tmp_path / "out"
    assert "no checkpoint to resume from" in _error(
        runs.train(out, text, "--steps", "4", "--resume"))
    runs.train(out, text, "--steps", "4", "--stop-at", "2")
    before = (out / "log.jsonl").read_bytes()
    assert "a run is there already" in _error(runs.train(out, text, "--steps", "4"))
    message = _error(runs.train(out, text, "--steps", "4", "--resume", "--hidden", "32"))
    assert "made by another run (" in message and "hidden" in message
    assert (out / "log.jsonl").read_bytes() == before
    model = out / "checkpoint-000002" / "model.pt"
    model.write_bytes(model.read_bytes()[:1000])
    assert "model.pt: not a readable checkpoint" in _error(
        runs.train(out, text, "--steps", "4", "--resume"))
    assert runs.train(out, text, "--steps", "2", "--overwrite") == [("status", "0")] * 2
    assert list(out.glob("checkpoint-*")) == []


def test_a_loss_that_is_not_finite_stops_the_run(text, tmp_path):
    out = tmp_path / "out"
    answers = runs.train(out, text, "--steps", "30", "--learning-rate", "1e30", "--seed", "3",
                         "--checkpoint-every", "1")
    message = _error(answers, "failed")
    end = runlog.read(out / "log.jsonl")[-1]
    assert end["outcome"] == "failed" and end["message"] == message
    assert f"the loss of step {end['step'] + 1} is not a finite number (seed 3" in message
    assert f"checkpoint-{end['step']:06d}" in message


def test_torchrun_prints_an_error_once(tmp_path):
    """The real launcher: status not 0, and one worker speaks for all."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
               "2", str(_ROOT / "workloads" / "llama" / "train.py"), "--output",
               str(tmp_path / "out"), "--data", str(tmp_path / "nothing")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120,
                            env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"})
    assert result.returncode != 0
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "no such folder" in lines[0], result.stderr
    assert "Traceback (most recent call last)" not in result.stderr.split("error: ")[0]
