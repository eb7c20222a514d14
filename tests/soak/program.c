/* SPDX-License-Identifier: Apache-2.0 */
/* soak_program FOLDER SEED ROUNDS: an MPI program that knows nothing of OptINC. All-reduces vectors of
 * random length, of small integers whose sums an 8-bit switch for 4 servers gives exactly (|x| <= 31,
 * docs/training.md), and checks every element. Its process number lies in FOLDER/rank after the first
 * round. It calls nothing but MPI_Allreduce: other calls wait for a lost rank for ever, as MPI does. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT_MAX = 1 << 19 };

/* The value of element i of round `round` at `rank`: -31 .. 31. */
static float value(unsigned round, unsigned i, unsigned rank)
{
    unsigned mixed = (i * 2654435761u) ^ (round * 40503u) ^ (rank * 2246822519u);

    mixed ^= mixed >> 15;
    mixed *= 2246822519u;
    mixed ^= mixed >> 13;
    return (float)(mixed % 63) - 31.0f;
}

static void write_process_number(const char *folder, int rank)
{
    char name[4096];
    FILE *file;

    snprintf(name, sizeof name, "%s/%d", folder, rank);
    file = fopen(name, "w");
    if (!file || fprintf(file, "%ld\n", (long)getpid()) < 0 || fclose(file))
        MPI_Abort(MPI_COMM_WORLD, 4);
}

static int wrong_elements(const float *sum, unsigned round, int count, int size)
{
    int wrong = 0;

    for (int i = 0; i < count; i++) {
        float expected = 0.0f;

        for (int r = 0; r < size; r++)
            expected += value(round, (unsigned)i, (unsigned)r);
        wrong += sum[i] != expected;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    float *data = malloc(COUNT_MAX * sizeof *data), *sum = malloc(COUNT_MAX * sizeof *sum);
    int rank, size;
    unsigned rounds;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc != 4 || !data || !sum)
        MPI_Abort(MPI_COMM_WORLD, 4);
    rounds = (unsigned)atoi(argv[3]);
    srand((unsigned)atoi(argv[2])); /* the same lengths on every rank */
    for (unsigned round = 0; round < rounds; round++) {
        int count = 1 + rand() % COUNT_MAX, wrong;

        for (int i = 0; i < count; i++) {
            data[i] = value(round, (unsigned)i, (unsigned)rank);
            sum[i] = -1e30f;
        }
        MPI_Allreduce(data, sum, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        wrong = wrong_elements(sum, round, count, size);
        if (wrong) {
            printf("WRONG SUM: %d of %d elements of round %u on rank %d\n", wrong, count, round,
                   rank);
            fflush(stdout);
            MPI_Abort(MPI_COMM_WORLD, 3);
        }
        if (round == 0)
            write_process_number(argv[1], rank);
    }
    if (rank == 0)
        printf("%u rounds right\n", rounds);
    MPI_Finalize();
    free(data);
    free(sum);
    return 0;
}
