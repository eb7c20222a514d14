# SPDX-License-Identifier: Apache-2.0
"""The backend photonic: a chip without faults answers as the oracle does; faults show, are the same
on every rank and in every run, and calibration takes back what it can take back."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import harness
import optinc_torch
import oracle
from optinc_torch import Photonic

_DEVICES = Path(__file__).resolve().parents[2] / "devices"
_COUNT = 3000
_FAULTY = {"phase_sigma_rad": 0.3}
_NOISY = {"receiver_noise_pa_per_sqrt_hz": 12.86, "local_oscillator_power_mw": 1e-3}


def _values(rank: int) -> np.ndarray:
    return np.random.default_rng(rank).standard_normal(_COUNT).astype(np.float32)


def _reduce(path: str, runs: list[dict], seed: int) -> list[np.ndarray]:
    """The mean through each run's chip, poisoned before."""
    results = []
    for options in runs:
        chunk = options.pop("chunk_elements", 0)
        collective = optinc_torch.Collective(
            optinc_torch.Design.load(path), dist.new_group(), backend="photonic", seed=seed,
            photonic=Photonic(**options) if options else None, chunk_elements=chunk)
        target = torch.full((_COUNT,), float("nan"))
        collective.allreduce(torch.from_numpy(_values(dist.get_rank())), target, step=5)
        collective.close()
        results.append(target.numpy())
    return results


def _run(designs: Path, runs: list[dict], workers: int = 4, seed: int = 1) -> list[np.ndarray]:
    results = harness.run(workers, _reduce, str(designs / "4x8.safetensors"), runs, seed)
    for result in results:
        for mine, first in zip(result, results[0]):
            assert mine.tobytes() == first.tobytes(), "the ranks' bits differ"
    return results[0]


def _expected(workers: int = 4) -> np.ndarray:
    return oracle.reduce_mean([_values(rank) for rank in range(workers)], 4, 8)[0]


@pytest.mark.parametrize("workers", [2, 4])
def test_ideal_chips_are_the_oracles(designs, workers):
    for mean in _run(designs, [{}, {"mapping": "direct"}, {"bias": "electronic"}], workers):
        np.testing.assert_array_equal(mean, _expected(workers))


def test_faults_are_the_chips(designs):
    """Its seed decides, and nothing else does; phase errors are taken back by calibration."""
    once, again, cut, other, corrected, configured = _run(designs, [
        {"values": _FAULTY, "seed": 7}, {"values": _FAULTY, "seed": 7},
        {"values": _FAULTY, "seed": 7, "chunk_elements": 512}, {"values": _FAULTY, "seed": 8},
        {"values": _FAULTY, "seed": 7, "calibrate": "local"},
        {"values": _FAULTY, "seed": 7, "calibrate": "self"}])
    assert np.mean(once != _expected()) > 0.1
    assert once.tobytes() == again.tobytes() == cut.tobytes()
    assert np.mean(once != other) > 0.1
    np.testing.assert_array_equal(corrected, _expected())
    np.testing.assert_array_equal(configured, _expected())
    with pytest.raises(ValueError, match="none, local or self"):
        Photonic(calibrate="guess").options()


def test_noise_is_the_steps(designs):
    """The collective's seed and step decide it."""
    runs = [{"values": _NOISY}, {"values": _NOISY, "chunk_elements": 512}]
    once, cut = _run(designs, runs)
    other, _ = _run(designs, runs, seed=2)
    assert np.any(once != _expected())
    assert once.tobytes() == cut.tobytes()
    assert np.any(once != other)


def test_a_device_file_and_values_in_its_place():
    path = _DEVICES / "published-conservative.yaml"
    file = dict(re.findall(r"^  (\w+):\n    value: (\S+)$", path.read_text(), re.MULTILINE))
    found = Photonic(device=path, values={"dac_bits": 5}, seed=9).configuration()
    assert found["values"] == {name: float(value) for name, value in file.items()} | {"dac_bits": 5}
    assert "device" not in found and found["seed"] == 9
    ideal = Photonic().configuration()["values"]
    assert ideal["mzi_loss_db"] == 0 and ideal["mzi_length_um"] == 180


@pytest.mark.parametrize("options,message", [
    ({"values": {"phase_sigma_rad": -0.01}}, "phase_sigma_rad is -0.01, expected 0 .. 10"),
    ({"values": {"phase_sigma_rad": math.nan}}, "phase_sigma_rad is nan"),
    ({"values": {"dac_bits": 2.5}}, "dac_bits is 2.5, expected a whole number"),
    ({"values": {"phase": 1}}, "no value is called phase"),
    ({"device": "none.yaml"}, "none.yaml"),
    ({"device": Path(__file__)}, "test_photonic.py"),
    ({"mapping": "bent"}, "design or direct was expected"),
    ({"bias": "none"}, "optical or electronic was expected"),
    ({"seed": -1}, "seed -1: 0 to"),
])
def test_bad_values_are_told(options, message):
    with pytest.raises((optinc_torch.Error, ValueError), match=re.escape(message)):
        Photonic(**options).options()


def _create(path: str, options: list[dict]) -> str:
    mine = dict(options[dist.get_rank()])
    hardware = mine.pop("photonic")
    with pytest.raises(optinc_torch.Error) as caught:
        optinc_torch.State(path, photonic=Photonic(**hardware), **mine)
    return str(caught.value)


@pytest.mark.parametrize("options,message", [
    ([{"seed": 1}, {"seed": 2}], "the ranks disagree about the photonic hardware"),
    ([{}, {"device": "none.yaml"}], "none.yaml"),
    ([{"drift_time_s": -1.0}] * 2, "drift time -1 s"),
])
def test_ranks_that_differ_are_all_told(designs, options, message):
    states = [{"backend": "photonic", "photonic": o} for o in options]
    for text in harness.run(2, _create, str(designs / "4x8.safetensors"), states):
        assert message in text


def test_hardware_for_another_backend_is_refused(designs):
    states = [{"backend": "exact", "photonic": {}}]
    for text in harness.run(1, _create, str(designs / "4x8.safetensors"), states):
        assert 'for backend "photonic", not for \'exact\'' in text


def _train(path: str) -> list[np.ndarray]:
    torch.manual_seed(1)
    model = DistributedDataParallel(nn.Linear(20, 10))
    state = optinc_torch.State(path, backend="photonic", error_feedback=True, measure_every=1,
                               photonic=Photonic(values={**_FAULTY, "dac_bits": 8}))
    model.register_comm_hook(state, optinc_torch.hook)
    random = torch.Generator().manual_seed(dist.get_rank())
    for _ in range(3):
        model(torch.randn(4, 20, generator=random)).square().mean().backward()
    measured = state.take_statistics().measured
    state.close()
    assert measured is not None and measured.error_max > measured.error_bound  # the chip errs
    return [p.grad.numpy() for p in model.parameters()]


def test_training_through_a_chip_with_faults(designs):
    results = harness.run(2, _train, str(designs / "4x8.safetensors"))
    for mine, other in zip(*results):
        assert mine.tobytes() == other.tobytes()
        assert np.isfinite(mine).all()
