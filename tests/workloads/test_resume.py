# SPDX-License-Identifier: Apache-2.0
"""Interrupted and resumed, a run has the curve of one that was not: bit for bit.

The log writes floats so that they read back exactly, so equal logs are equal bits.
"""

import signal

import pytest

import runs
from workloads.common import runlog

_STEPS = ["--steps", "9", "--measure-every", "2"]
_CHIP = ["--backend", "photonic", "--mapping", "direct", "--phase-sigma", "0.02", "--dac-bits", "8",
         "--receiver-noise", "50", "--chip-seed", "3"]


def _curve(out):
    keys = ("step", "loss", "valid_loss", "lr", "bytes_sent", "error_max", "error_rms")
    return [tuple(r.get(key) for key in keys) for r in runlog.read(out / "log.jsonl")
            if r["type"] == "step"]


def _options(collective, designs):
    if collective == "ring":
        return ["--steps", "9"]
    return [*_STEPS, "--collective", "optinc", "--design", str(designs / "4x8.safetensors"),
            "--bits", "8", "--error-feedback", "--rounding", "stochastic",
            *(_CHIP if collective == "photonic" else [])]


@pytest.mark.parametrize("collective", ["ring", "optinc", "photonic"])
def test_stopped_terminated_and_killed_runs_go_on_as_if_nothing_had_happened(
        text, designs, tmp_path, collective):
    options = _options(collective, designs)
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    assert runs.train(whole, text, *options) == [("status", "0")] * 2
    assert len(_curve(whole)) == 9

    # stopped after step 2
    assert runs.train(pieces, text, *options, "--stop-at", "2") == [("status", "0")] * 2
    assert runlog.read(pieces / "log.jsonl")[-1]["outcome"] == "interrupted"
    # SIGTERM to one worker in step 4: all of them stop after it
    answers = runs.train(pieces, text, *options, "--resume", kill=(signal.SIGTERM, 1, 4))
    assert answers == [("status", "0")] * 2
    assert runlog.read(pieces / "log.jsonl")[-1] | {"outcome": "interrupted", "step": 4} == \
        runlog.read(pieces / "log.jsonl")[-1]
    # SIGKILL to all in step 8: goes on from the checkpoint of step 6
    answers = runs.train(pieces, text, *options, "--resume", "--checkpoint-every", "3",
                         kill=(signal.SIGKILL, -1, 8))
    assert answers == [None, None]
    # what a kill in the middle of writing leaves behind
    (pieces / "filling-000009").mkdir()
    (pieces / "filling-000009" / "rank-0.pt").write_bytes(b"half")
    with open(pieces / "log.jsonl", "a", encoding="utf-8") as file:
        file.write('{"type": "step", "step": 8, "lo')
    assert runs.train(pieces, text, *options, "--resume") == [("status", "0")] * 2

    assert _curve(pieces) == _curve(whole)
    end, other = (runlog.read(path / "log.jsonl")[-1] for path in (whole, pieces))
    for key in ("outcome", "step", "loss", "valid_loss", "bytes_sent"):
        assert end[key] == other[key]
    resumed = [r["step"] for r in runlog.read(pieces / "log.jsonl") if r["type"] == "resume"]
    assert resumed == [2, 4, 6]


def test_same_seed_same_curve_and_other_seed_another(text, tmp_path):
    options = ["--steps", "3"]
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert runs.train(tmp_path / name, text, *options, "--seed", seed) == [("status", "0")] * 2
    assert _curve(tmp_path / "a") == _curve(tmp_path / "b")
    assert _curve(tmp_path / "a") != _curve(tmp_path / "c")


def test_the_switch_and_the_ring_start_alike(text, designs, tmp_path):
    """Same seed: the same weights and samples, so the first loss is the same to the bit; later ones
    differ by the quantisation, and little."""
    for name in ("ring", "optinc"):
        runs.train(tmp_path / name, text, *_options(name, designs))
    ring, optinc = _curve(tmp_path / "ring"), _curve(tmp_path / "optinc")
    assert ring[0][1] == optinc[0][1]
    assert ring[8][1] != optinc[8][1]
    off = [abs(a[1] - b[1]) for a, b in zip(ring, optinc)]
    # after one and two updates; then rounding is amplified, but stays small beside what is learnt
    assert off[1] <= 0.002 and off[2] <= 0.01
    assert all(o <= 0.1 * (ring[0][1] - ring[8][1]) for o in off)
    assert ring[8][1] < ring[0][1]
    first = runlog.read(tmp_path / "optinc" / "log.jsonl")[0]
    assert first["bits"] == 8 and first["ports"] == 4 and first["design_exact"]
    ring_bytes = first["gradient_bytes"]  # 2(K-1)/K = 1 for two workers
    assert ring[0][4] == ring_bytes
    assert optinc[0][4] <= ring_bytes / 4 * 1.05
