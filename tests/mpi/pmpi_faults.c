/* SPDX-License-Identifier: Apache-2.0 */
/* pmpi_faults MODE FILE: an MPI program whose last rank goes wrong, under the interposition library with a
 * time limit. Every other rank must get an error from MPI_Allreduce; rank 0 then writes to FILE how
 * many did, and ends the job.
 *
 *   count-first  the last rank's first call is too short for the switch
 *   count        the same, after a call that went well
 *   stop         the last rank stops in the middle
 *   kill         the last rank dies
 *   finalize     the last rank stops; the others go on to MPI_Finalize, which waits for it
 *   create       the last rank stops in its first call (tests/mpi/stop_in_create.c); the others end
 *   spoil        nobody goes wrong but the switch (tests/mpi/spoil.c), on two communicators */
#include <locale.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT 4096

static float x[COUNT], y[COUNT];

/* A second communicator's first step, in which the switch goes wrong as well. */
static int reduce_on_copy(void)
{
    MPI_Comm copy;
    int code;

    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    code = MPI_Allreduce(x, y, COUNT, MPI_FLOAT, MPI_SUM, copy);
    MPI_Comm_free(&copy);
    return code;
}

static int reduce(int count)
{
    return MPI_Allreduce(x, y, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

/* Counts the errors of all ranks that are left; messages between two ranks still work. Told in a file: a
 * launcher may drop what was printed just before a job is aborted. */
static void tell(int rank, int ranks_left, int code, const char *path)
{
    int failed = code != MPI_SUCCESS, other;
    MPI_Status status;
    FILE *file;

    if (rank != 0) {
        MPI_Send(&failed, 1, MPI_INT, 0, 1, MPI_COMM_WORLD);
        MPI_Recv(&other, 1, MPI_INT, 0, 2, MPI_COMM_WORLD, &status); /* until the job ends */
        return;
    }
    for (int r = 1; r < ranks_left; r++) {
        MPI_Recv(&other, 1, MPI_INT, r, 1, MPI_COMM_WORLD, &status);
        failed += other;
    }
    file = fopen(path, "w");
    if (file) {
        fprintf(file, "%d of %d ranks got an error\n", failed, ranks_left);
        fclose(file);
    }
}

static int go_wrong(const char *mode)
{
    if (strcmp(mode, "stop") == 0 || strcmp(mode, "finalize") == 0)
        raise(SIGSTOP);
    if (strcmp(mode, "kill") == 0)
        raise(SIGKILL);
    return reduce(strncmp(mode, "count", 5) == 0 ? 10 : COUNT);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int rank, size, code, process_id = (int)getpid();
    MPI_Status status;

    if (!setlocale(LC_ALL, "")) {
        fprintf(stderr, "no such locale\n");
        return 3;
    }
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i % 100 + rank);
    if (strcmp(mode, "count-first") != 0 && strcmp(mode, "spoil") != 0 &&
        (reduce(COUNT) != MPI_SUCCESS || y[99] != (float)(99 * size + size * (size - 1) / 2)))
        MPI_Abort(MPI_COMM_WORLD, 3);
    if (rank == size - 1)
        MPI_Send(&process_id, 1, MPI_INT, 0, 0, MPI_COMM_WORLD);
    else if (rank == 0)
        MPI_Recv(&process_id, 1, MPI_INT, size - 1, 0, MPI_COMM_WORLD, &status);
    code = rank == size - 1 ? go_wrong(mode) : reduce(COUNT);
    if (strcmp(mode, "spoil") == 0 && reduce_on_copy() == MPI_SUCCESS)
        code = MPI_SUCCESS;
    if (strcmp(mode, "finalize") == 0) {
        MPI_Finalize();
        return 0;
    }
    if (strcmp(mode, "stop") == 0 || strcmp(mode, "kill") == 0)
        size--;
    tell(rank, size, code, argc > 2 ? argv[2] : "");
    if (strcmp(mode, "stop") == 0)
        kill(process_id, SIGKILL);
    MPI_Abort(MPI_COMM_WORLD, 4);
    return 4;
}
