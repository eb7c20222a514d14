/* SPDX-License-Identifier: Apache-2.0 */
/* bench_pmpi [--rounds N] [--csv PATH], under LD_PRELOAD=liboptinc_pmpi and with OPTINC_DESIGN: what
 * the interposition library costs a call that it passes on. MPI_Allreduce, which the library stands
 * before, and PMPI_Allreduce, which it does not, take turns of 200 calls each; medians of the
 * slowest rank. */
#include "bench.h"

#include <mpi.h>

#define CALLS 200

static double run(int count, bool through)
{
    static float x[16384], y[16384];
    double start, own, slowest;

    MPI_Barrier(MPI_COMM_WORLD);
    start = MPI_Wtime();
    for (int i = 0; i < CALLS; i++) {
        if (through)
            MPI_Allreduce(x, y, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        else
            PMPI_Allreduce(x, y, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    }
    own = (MPI_Wtime() - start) / CALLS;
    PMPI_Allreduce(&own, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

int main(int argc, char **argv)
{
    static double ours[BENCH_ROUNDS_MAX], others[BENCH_ROUNDS_MAX];
    bench_options options = bench_parse(argc, argv, 15);
    int rank, ranks;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    for (int count = 1; count <= 16384; count *= 128) {
        char what[96];

        for (int round = -1; round < options.rounds; round++) { /* the first warms up */
            others[round < 0 ? 0 : round] = run(count, false);
            ours[round < 0 ? 0 : round] = run(count, true);
        }
        snprintf(what, sizeof what, "MPI_Allreduce of %zu B on %d local ranks, passed on",
                 (size_t)count * sizeof(float), ranks);
        if (rank == 0)
            bench_report(&options, "pmpi", what, bench_median(ours, options.rounds),
                         "PMPI_Allreduce", bench_median(others, options.rounds), "s");
    }
    MPI_Finalize();
    return 0;
}
