# SPDX-License-Identifier: Apache-2.0
"""K virtual servers in one process and K processes: the same bits.

The switch's arithmetic is exact and does not depend on the transport, the gradients are computed by
the same code from the same samples, so all logged figures of the training are equal, not close.
"""

import pytest

import runs
from workloads.common import checkpoint, runlog
from workloads.common.averaging import Ring


def _steps(out, *keys):
    return [tuple(r.get(key) for key in keys) for r in runlog.read(out / "log.jsonl")
            if r["type"] == "step"]


_KEYS = ("step", "loss", "lr", "error_max", "error_rms", "error_bound", "gradient_rms")


@pytest.mark.parametrize("more", [
    ["--error-feedback"],  # by default signs alternate
    ["--rounding", "stochastic", "--block-size", "64"],
    ["--error-feedback", "--no-alternate", "--block-size", "256"],
])
def test_virtual_servers_give_the_bits_of_processes(text, designs, tmp_path, more):
    options = ["--steps", "5", "--collective", "optinc", "--design",
               str(designs / "4x8.safetensors"), "--measure-every", "2", *more]
    assert runs.train(tmp_path / "real", text, *options, workers=4) == [("status", "0")] * 4
    assert runs.train(tmp_path / "virtual", text, *options, "--virtual-servers", "4",
                      workers=1) == [("status", "0")]
    assert _steps(tmp_path / "real", *_KEYS) == _steps(tmp_path / "virtual", *_KEYS)
    real, virtual = (_steps(tmp_path / name, "bytes_sent", "valid_loss")
                     for name in ("real", "virtual"))
    for (sent, valid), (said, found) in zip(real, virtual):
        assert abs(said - sent) <= 0.02 * sent  # the formula leaves out padding
        assert (valid is None) == (found is None)
        assert valid is None or abs(valid - found) <= 1e-5 * abs(valid)  # other order of sums


def test_the_virtual_ring_is_the_ring_up_to_the_order_of_sums(text, tmp_path):
    assert runs.train(tmp_path / "real", text, "--steps", "5", workers=4) == [("status", "0")] * 4
    assert runs.train(tmp_path / "virtual", text, "--steps", "5", "--virtual-servers", "4",
                      workers=1) == [("status", "0")]
    real, virtual = (_steps(tmp_path / n, "loss", "bytes_sent") for n in ("real", "virtual"))
    assert real[0] == virtual[0]
    for (loss, sent), (other, said) in zip(real, virtual):
        assert abs(loss - other) <= 1e-4 * loss and sent == said
    assert sent == Ring(4, runlog.read(tmp_path / "real" / "log.jsonl")[0][
        "gradient_bytes"]).step_record()["bytes_sent"]


def test_interrupted_virtual_servers_go_on_with_the_same_bits(text, designs, tmp_path):
    options = ["--steps", "6", "--collective", "optinc", "--design",
               str(designs / "4x8.safetensors"), "--error-feedback", "--virtual-servers", "3"]
    runs.train(tmp_path / "whole", text, *options, workers=1)
    runs.train(tmp_path / "pieces", text, *options, "--stop-at", "4", workers=1)
    assert checkpoint.latest(tmp_path / "pieces") is not None
    assert runs.train(tmp_path / "pieces", text, *options, "--resume", workers=1) == [
        ("status", "0")]
    keys = (*_KEYS, "valid_loss", "bytes_sent")
    assert _steps(tmp_path / "whole", *keys) == _steps(tmp_path / "pieces", *keys)


def test_bad_virtual_servers(text, designs, tmp_path):
    design = ["--collective", "optinc", "--design", str(designs / "4x8.safetensors")]
    for workers, more, expected in (
            (1, [*design, "--virtual-servers", "5"], "a switch with 4 ports cannot serve 5"),
            (2, [*design, "--virtual-servers", "4"], "--virtual-servers 4 is for one process"),
            (1, ["--virtual-servers", "0"], "at least 1 was expected"),
            (1, ["--alternate"], "--alternate is for --collective optinc"),
            (1, ["--device", "cuda"], "--device cuda: PyTorch finds no GPU")):
        answers = runs.train(tmp_path / "out", text, *more, workers=workers)
        assert all(kind == "user error" and expected in message for kind, message in answers)
