/* SPDX-License-Identifier: Apache-2.0 */
/* osu_stand_in -c -T mpi_float: an MPI program with osu_allreduce's command line, output and kind of check, so that
 * OSU_ALLREDUCE of run_suites is known to work without it. Every size is summed a few times, each element compared.
 * STAND_IN_SPOILS=1: the program itself adds one to an element of the third size. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_MAX = 1 << 18, ROUNDS = 3, SPOILT = 4 };

static float sent[COUNT_MAX], received[COUNT_MAX];

/* Elements that are not the exact sum, of all ranks. */
static int sum_once(int count, int round, int ranks, int spoil)
{
    int wrong = 0, wrong_all;

    for (int i = 0; i < count; i++) {
        sent[i] = 2.0F * (float)((i % 100 + 1) * (round + 1));
        received[i] = NAN;
    }
    MPI_Allreduce(sent, received, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    if (spoil)
        received[count / 2] += 1.0F;
    for (int i = 0; i < count; i++)
        wrong += !(received[i] == sent[i] * (float)ranks);
    MPI_Allreduce(&wrong, &wrong_all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    return wrong_all;
}

int main(int argc, char **argv)
{
    int rank, ranks, failed = 0, spoils = getenv("STAND_IN_SPOILS") != NULL;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (argc != 4 || strcmp(argv[1], "-c") != 0 || strcmp(argv[2], "-T") != 0 ||
        strcmp(argv[3], "mpi_float") != 0)
        MPI_Abort(MPI_COMM_WORLD, 2);
    if (rank == 0)
        printf("\n# OSU MPI Allreduce Latency Test\n# Datatype: MPI_FLOAT.\n"
               "# Size       Avg Latency(us)        Validation\n");
    for (int count = 1; count <= COUNT_MAX; count *= 2) {
        int wrong = 0;
        double begin = MPI_Wtime();

        for (int round = 0; round < ROUNDS; round++)
            wrong += sum_once(count, round, ranks, spoils && count == SPOILT);
        if (rank == 0)
            printf("%-10d%18.2f%18s\n", 4 * count, 1e6 / ROUNDS * (MPI_Wtime() - begin),
                   wrong ? "Fail" : "Pass");
        failed += wrong != 0;
    }
    MPI_Finalize();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
