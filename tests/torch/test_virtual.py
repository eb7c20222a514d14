# SPDX-License-Identifier: Apache-2.0
"""Virtual servers beside the NumPy oracle: the switch's arithmetic on K tensors of one process."""

import numpy as np
import pytest
import torch

import optinc_torch
import oracle
from optinc_torch.signs import negate_alternate


def _inputs(servers, count, seed=0):
    """Values over some orders of magnitude, a block of zeros, one small against its neighbours."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(servers, count)) * np.exp(random.normal(size=count))
    values[:, 256:512] = 0
    values[:, 600:700] *= 1e-6
    return values.astype(np.float32)


def _reduce(collective, inputs, feedback=None, step=0):
    target = torch.full((inputs.shape[1],), float("nan"))
    report = collective.allreduce([torch.from_numpy(x.copy()) for x in inputs], target,
                                  error_feedback=feedback, step=step)
    return target.numpy(), report


@pytest.mark.parametrize("ports,servers,bits,block,count", [
    (4, 4, 8, 256, 3001), (4, 3, 8, 64, 3001), (16, 16, 8, 256, 1000), (2, 1, 4, 32, 777),
    (8, 8, 16, 256, 1500), (4, 4, 8, 256, 1)])
def test_means_and_feedback_are_the_oracles(ports, servers, bits, block, count):
    """Bit for bit over three steps, each of which begins with what the one before has lost."""
    design = optinc_torch.Design.construct(ports, bits)
    collective = optinc_torch.VirtualCollective(design, servers, block_size=block)
    feedback = [torch.zeros(count) for _ in range(servers)]
    carried = [np.zeros(count, dtype=np.float32) for _ in range(servers)]
    for step in range(3):
        inputs = _inputs(servers, count, step)
        expected, carried = oracle.reduce_mean(list(inputs), ports, bits, block, carried)
        found, report = _reduce(collective, inputs, feedback, step)
        assert np.array_equal(found, expected)
        for mine, other in zip(feedback, carried):
            assert np.array_equal(mine.numpy(), other)
        assert report.elements == count and report.blocks == -(-count // block)
    plain, report = _reduce(collective, inputs)
    assert np.array_equal(plain, oracle.reduce_mean(list(inputs), ports, bits, block)[0])
    exact = inputs.astype(np.float64).mean(axis=0)
    assert np.abs(plain - exact).max() <= report.error_bound_max
    collective.close()
    collective.close()


def test_blocks_that_are_not_finite_are_float_means():
    inputs = _inputs(4, 1000)
    inputs[1, 10], inputs[2, 300], inputs[3, 800] = np.inf, np.nan, -np.inf
    design = optinc_torch.Design.construct(4, 8)
    collective = optinc_torch.VirtualCollective(design, 4)
    feedback = [torch.zeros(1000) for _ in range(4)]
    expected, carried = oracle.reduce_mean(list(inputs), 4, 8)
    found, report = _reduce(collective, inputs, feedback)
    assert np.array_equal(found, expected, equal_nan=True)
    assert report.blocks_non_finite == 3
    assert all(np.array_equal(a.numpy(), b) for a, b in zip(feedback, carried))


@pytest.mark.parametrize("ports", [4, 8])
def test_a_residual_switch_adds_no_error_of_its_own(ports):
    """Its mean is that of what the servers sent, exactly: the feedback holds what is missing."""
    design = optinc_torch.Design.construct(ports, 8, variant="residual")
    collective = optinc_torch.VirtualCollective(design, ports)
    inputs = _inputs(ports, 2000)
    feedback = [torch.zeros(2000) for _ in range(ports)]
    found, _ = _reduce(collective, inputs, feedback)
    sent = sum(inputs[i].astype(np.float64) - feedback[i].numpy() for i in range(ports)) / ports
    assert np.array_equal(found, sent.astype(np.float32))


def test_alternating_signs_take_the_bias_away():
    """Half up's mean error is +1/(2N) of a code step, 1/8 for N = 4; of what is negated -1/8. The
    elements are of one block size and magnitude, so that all have the same step."""
    design = optinc_torch.Design.construct(4, 8)
    collective = optinc_torch.VirtualCollective(design, 4)
    random = np.random.default_rng(5)
    count, code = 256 * 400, 1 / 64  # 127 steps of 2^-6 reach 1.98
    inputs = random.uniform(-1.5, 1.5, size=(4, count)).astype(np.float32)
    inputs[:, ::256] = 1.9
    exact = inputs.astype(np.float64).mean(axis=0)
    errors = []
    for step in range(2):
        turned = [torch.from_numpy(x.copy()) for x in inputs]
        for x in turned:
            negate_alternate(x, step)
        target = torch.empty(count)
        collective.allreduce(turned, target)
        negate_alternate(target, step)
        errors.append((target.numpy() - exact) / code)
    # a mean of 102,400 errors of deviation below 0.4 of a step: six sigma are 0.0075
    plain = (_reduce(collective, inputs)[0] - exact) / code
    assert abs(plain.mean() - 1 / 8) <= 0.0075
    assert all(abs(error.mean()) <= 0.0075 for error in errors)
    assert abs((errors[0] + errors[1]).mean()) <= 0.015
    even, odd = errors[0][2::2], errors[0][1::2]
    assert abs(even.mean() - 1 / 8) <= 0.011 and abs(odd.mean() + 1 / 8) <= 0.011


def test_negating_twice_is_undone_and_every_element_is_turned_every_second_step():
    values = torch.arange(1.0, 8.0)
    for step in (0, 1):
        negate_alternate(values, step)
        assert (values < 0).tolist() == [i % 2 != step for i in range(7)]
        negate_alternate(values, step)
    assert values.tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_bad_arguments():
    design = optinc_torch.Design.construct(2, 8)
    with pytest.raises(optinc_torch.Error, match="a switch with 2 ports cannot serve 3 servers"):
        optinc_torch.VirtualCollective(design, 3)
    collective = optinc_torch.VirtualCollective(design, 2)
    with pytest.raises(ValueError, match="1 sources, 2 were expected"):
        collective.allreduce([torch.zeros(3)], torch.zeros(3))
    with pytest.raises(ValueError, match="2 elements, 3 were expected"):
        collective.allreduce([torch.zeros(2), torch.zeros(3)], torch.zeros(3))
    with pytest.raises(TypeError, match="float32"):
        collective.allreduce([torch.zeros(3, dtype=torch.float64)] * 2, torch.zeros(3))
    state = optinc_torch.VirtualState(design, 2)
    with pytest.raises(optinc_torch.Error, match="server 1 was selected, 0 is next"):
        state.select(1)
    with pytest.raises(ValueError, match="error feedback of 3 servers, 2 were expected"):
        state.load_state_dict({"step": 0, "feedback": [{}] * 3}, torch.nn.Linear(1, 1))
    with pytest.raises(optinc_torch.Error, match="a design for 8 bits, not for 4"):
        optinc_torch.VirtualState(design, 2, bits=4)
