/* SPDX-License-Identifier: Apache-2.0 */
/* Our own stand-in for the checks of osu_allreduce -c -T mpi_float and of the Intel MPI Benchmarks,
 * which no package brings: an MPI program that knows nothing of OptINC, run under the interposition
 * library with a 32-bit design. Every power of two from 4 B to 1 MiB, a few iterations each, with
 * another pattern of small integers each time, out of place and in place, blocking and not; every
 * element of every result must be the exact sum, and what lies behind it untouched. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (1u << 20)
#define ITERATIONS 3
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: rank %d: %s\n", __FILE__, __LINE__, rank, #condition);         \
            MPI_Abort(MPI_COMM_WORLD, 1);                                                          \
        }                                                                                          \
    } while (0)

static int rank, size;
static float in[BYTES_MAX / 4], out[BYTES_MAX / 4 + 1];

static int value(int r, size_t i, int iteration)
{
    return (int)(i % 100 + 1) * (iteration + 1) * 2 + r;
}

static void check(size_t count, int iteration)
{
    for (size_t i = 0; i < count; i++) {
        int sum = 0;

        for (int r = 0; r < size; r++)
            sum += value(r, i, iteration);
        CHECK(out[i] == (float)sum);
    }
    CHECK(out[count] == -7.0f);
}

static void poison(size_t count)
{
    memset(out, 0xff, count * sizeof *out);
    out[count] = -7.0f;
}

static void run(size_t count, int iteration)
{
    MPI_Request request;
    MPI_Status status;

    for (size_t i = 0; i < count; i++)
        in[i] = (float)value(rank, i, iteration);
    poison(count);
    CHECK(MPI_Allreduce(in, out, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS);
    check(count, iteration);
    memcpy(out, in, count * sizeof *out);
    CHECK(MPI_Allreduce(MPI_IN_PLACE, out, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) ==
          MPI_SUCCESS);
    check(count, iteration);
    poison(count);
    CHECK(MPI_Iallreduce(in, out, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, &request) ==
          MPI_SUCCESS);
    CHECK(MPI_Wait(&request, &status) == MPI_SUCCESS);
    check(count, iteration);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (size_t bytes = 4; bytes <= BYTES_MAX; bytes *= 2)
        for (int iteration = 0; iteration < ITERATIONS; iteration++)
            run(bytes / 4, iteration);
    if (rank == 0)
        printf("%d ranks passed\n", size);
    MPI_Finalize();
    return 0;
}
