# SPDX-License-Identifier: Apache-2.0
"""Collective over torch.distributed: the oracle's bits, on every rank, every size and backend."""

import numpy as np
import pytest
import torch
import torch.distributed as dist

import harness
import optinc_torch
import oracle

SIZES = (0, 1, 5, 255, 256, 257, 1000, 70_001)


def _values(rank: int, count: int) -> np.ndarray:
    """Gradients of mixed magnitude, zeros among them."""
    random = np.random.default_rng([count, rank])
    x = random.standard_normal(count) * 10.0 ** random.uniform(-6, 2, count)
    x[random.random(count) < 0.1] = 0
    if count > 700:
        x[256:512] = 0  # a block of zeros on every rank
    return x.astype(np.float32)


def _reduce(path: str, backend: str, sizes: tuple, op: str) -> list:
    collective = optinc_torch.Collective(optinc_torch.Design.load(path), dist.new_group(),
                                         backend=backend)
    results = []
    for count in sizes:
        source = torch.from_numpy(_values(dist.get_rank(), count))
        target = torch.full((count,), float("nan"))
        report = collective.allreduce(source, target, op=op)
        np.testing.assert_array_equal(source.numpy(), _values(dist.get_rank(), count))
        results.append((target.numpy(), report))
    collective.close()
    return results


def _check(workers: int, ports: int, bits: int, results: list, sizes: tuple = SIZES) -> None:
    for i, count in enumerate(sizes):
        inputs = [_values(rank, count) for rank in range(workers)]
        expected, _ = oracle.reduce_mean(inputs, ports, bits)
        exact = np.mean([x.astype(np.float64) for x in inputs], axis=0)
        for rank in range(workers):
            mean, report = results[rank][i]
            assert mean.tobytes() == results[0][i][0].tobytes(), "the ranks' bits differ"
            assert report.elements == count
            error = np.abs(mean - exact).max(initial=0)
            assert error <= report.error_bound_max or count == 0
            if ports % workers == 0:
                np.testing.assert_array_equal(mean, expected)
            else:  # N/K is not a power of two: its rounding may differ in the last bit
                np.testing.assert_array_max_ulp(mean, expected, maxulp=1)


@pytest.mark.parametrize("workers,ports,bits", [(1, 4, 8), (2, 4, 8), (2, 2, 8), (3, 4, 8),
                                                (4, 4, 8), (4, 4, 4), (4, 4, 16)])
def test_mean_is_the_oracles(designs, workers, ports, bits):
    path = designs / f"{ports}x{bits}.safetensors"
    results = harness.run(workers, _reduce, str(path), "exact", SIZES, "mean")
    _check(workers, ports, bits, results)


@pytest.mark.parametrize("backend", ["table", "onn", "photonic"])
def test_backends_agree(designs, backend):
    path, sizes = designs / "4x8.safetensors", (1, 1000, 5000)
    results = harness.run(4, _reduce, str(path), backend, sizes, "mean")
    _check(4, 4, 8, results, sizes)


def test_bytes_sent_are_a_quarter_of_the_rings(designs):
    """Codes and results: 2(K-1)/K bytes an element where the ring sends 4 times that; exponents: a
    byte-wise MAX all-reduce of one byte a block."""
    count, workers = 1 << 20, 4
    results = harness.run(workers, _reduce, str(designs / "4x8.safetensors"), "exact", (count,),
                          "mean")
    share = 2 * (workers - 1) / workers
    for rank in range(workers):
        sent = results[rank][0][1].bytes_sent
        assert share * count <= sent <= share * count * (1 + 2 / 256)


def _mixed_operations(path: str) -> list:
    """The program's own collectives run between and during the library's."""
    collective = optinc_torch.Collective(optinc_torch.Design.load(path), dist.new_group())
    results = []
    for round_number in range(5):
        mine = torch.full((100,), float(dist.get_rank()))
        work = dist.all_reduce(mine, async_op=True)
        target = torch.empty(1000)
        collective.allreduce(torch.from_numpy(_values(dist.get_rank(), 1000)), target)
        work.wait()
        results.append((mine.tolist(), target.numpy()))
    return results


def test_the_programs_own_collectives_do_not_interfere(designs):
    results = harness.run(4, _mixed_operations, str(designs / "4x8.safetensors"))
    expected, _ = oracle.reduce_mean([_values(rank, 1000) for rank in range(4)], 4, 8)
    for rank in range(4):
        for own, mean in results[rank]:
            assert own == [6.0] * 100
            np.testing.assert_array_equal(mean, expected)


def _bad_arguments(path: str) -> None:
    design = optinc_torch.Design.load(path)
    for options in ({"backend": "optical"}, {"rounding": "up"}):
        with pytest.raises(ValueError, match="was expected"):
            optinc_torch.Collective(design, dist.group.WORLD, **options)
    collective = optinc_torch.Collective(design, dist.group.WORLD)
    x = torch.zeros(8)
    with pytest.raises(TypeError, match="source: a contiguous float32"):
        collective.allreduce(x.double(), x)
    with pytest.raises(ValueError, match="target: 8 elements, 4"):
        collective.allreduce(x[:4], x)
    collective.close()
    collective.close()
    with pytest.raises(ValueError, match="closed"):
        collective.allreduce(x, x)


def test_bad_arguments_are_told(designs):
    harness.run(1, _bad_arguments, str(designs / "4x8.safetensors"))
