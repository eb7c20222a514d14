# SPDX-License-Identifier: Apache-2.0
"""An mpi4py program that knows nothing of OptINC: sums that must be exact, then a regression that must
reach its optimum. Meant for a design of 32 bits, in which integers of this size are summed exactly."""
import numpy as np
from mpi4py import MPI

COUNT = 4099
LARGEST = 1000


def integers(rank, seed):
    return np.random.default_rng((seed, rank)).integers(-LARGEST, LARGEST + 1, COUNT)


def expect(found, ranks, seed, what):
    exact = sum(integers(rank, seed) for rank in ranks)
    if not np.array_equal(found.astype(np.int64), exact):
        raise SystemExit(f"{what}: {np.abs(found - exact).max()} from the exact sum")


def check_sums(comm):
    ranks, rank = range(comm.size), comm.rank
    found = np.full(COUNT, np.nan, np.float32)
    comm.Allreduce(integers(rank, 1).astype(np.float32), found)
    expect(found, ranks, 1, "Allreduce")
    found = integers(rank, 2).astype(np.float32)
    comm.Allreduce(MPI.IN_PLACE, found, op=MPI.SUM)
    expect(found, ranks, 2, "Allreduce in place")
    found, mine = np.full(COUNT, np.nan, np.float32), integers(rank, 3).astype(np.float32)
    request = comm.Iallreduce(mine, found)  # mpi4py does not keep `mine` alive
    request.Wait()
    expect(found, ranks, 3, "Iallreduce")
    found = np.full(COUNT, np.nan)
    comm.Allreduce(integers(rank, 4).astype(np.float64), found)
    expect(found, ranks, 4, "Allreduce of doubles")
    half = comm.Split(rank % 2, rank)
    found = np.full(COUNT, np.nan, np.float32)
    half.Allreduce(integers(rank, 5).astype(np.float32), found)
    expect(found, [other for other in ranks if other % 2 == rank % 2], 5, "a half's Allreduce")
    half.Free()


def check_training(comm):
    """Gradient descent on one half of the square distance between x and the ranks' mean target."""
    targets = [np.random.default_rng((6, rank)).standard_normal(COUNT) for rank in range(comm.size)]
    x, gradient = np.zeros(COUNT, np.float32), np.empty(COUNT, np.float32)
    for _ in range(40):
        comm.Allreduce((x - targets[comm.rank]).astype(np.float32), gradient)
        x -= np.float32(0.5 / comm.size) * gradient
    distance = np.abs(x - sum(targets) / comm.size).max()
    if not distance < 1e-5:
        raise SystemExit(f"the regression ended {distance} from its optimum")


def main():
    comm = MPI.COMM_WORLD
    check_sums(comm)
    check_training(comm)
    comm.Barrier()
    if comm.rank == 0:
        print(f"{comm.size} ranks passed", flush=True)


main()
