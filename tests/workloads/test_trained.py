# SPDX-License-Identifier: Apache-2.0
"""A trained switch that is proved to compute the reference function trains a model as a constructed
one does: whatever backend runs it, losses, validation and parameters are the same bits."""

import hashlib
import os
import subprocess

import pytest
import torch

import runs
from workloads.common import checkpoint, runlog

STEPS = "40"


@pytest.fixture(scope="module")
def designs_by_method(tmp_path_factory):
    """Two servers, 8 bits, 2,401 cases: trained on segments, and constructed."""
    folder = tmp_path_factory.mktemp("designs")
    more = {"constructed": [],
            "trained": ["--structure", "4-32-32-32-32-4", "--batch", "128", "--threads", "1"]}
    for method, options in more.items():
        subprocess.run([os.environ["OPTINC_PROGRAM"], "design", "--servers", "2", "--bits", "8",
                        "--method", method, *options, "-o", folder / method], check=True,
                       stdout=subprocess.DEVNULL, timeout=120)
        subprocess.run([os.environ["OPTINC_PROGRAM"], "verify", folder / method], check=True,
                       stdout=subprocess.DEVNULL, timeout=120)
    return folder


def _run(text, out, design, backend):
    """Figures of every step, and a digest of the parameters after the last."""
    options = ["--steps", STEPS, "--checkpoint-every", STEPS, "--collective", "optinc", "--design",
               str(design), "--backend", backend, "--error-feedback", "--measure-every", "5",
               "--virtual-servers", "2"]
    assert runs.train(out, text, *options, workers=1) == [("status", "0")]
    steps = [tuple(r.get(key) for key in ("step", "loss", "valid_loss", "error_max", "error_rms"))
             for r in runlog.read(out / "log.jsonl") if r["type"] == "step"]
    model = torch.load(checkpoint.latest(out) / "model.pt", weights_only=True)["model"]
    digest = hashlib.sha256()
    for name in sorted(model):
        digest.update(name.encode() + model[name].numpy().tobytes())
    return steps, digest.hexdigest()


def test_a_trained_design_gives_the_bits_of_a_constructed_one(text, designs_by_method, tmp_path):
    expected = _run(text, tmp_path / "constructed", designs_by_method / "constructed", "exact")
    assert len(expected[0]) == int(STEPS) and expected[0][-1][1] < expected[0][0][1]
    for backend in ("exact", "table", "onn"):
        assert _run(text, tmp_path / backend, designs_by_method / "trained", backend) == expected
