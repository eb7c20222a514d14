/* SPDX-License-Identifier: Apache-2.0 */
/* The transport alone: messages in pieces, maxima, and the time limit. */
#include "mpi_check.h"

#include "transport.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int rank, size;

static void open_transport(oi_mpi_transport *t, MPI_Comm comm, size_t piece_size, double timeout)
{
    const oi_mpi_transport_options options = {timeout, piece_size};
    MPI_Comm own;

    CHECK(MPI_Comm_dup(comm, &own) == MPI_SUCCESS);
    CHECK(oi_mpi_transport_open(t, own, &options, NULL) == OPTINC_OK);
}

static uint8_t pattern(int from, int to, size_t i)
{
    return (uint8_t)(i * 31 + (size_t)from * 17 + (size_t)to * 5 + 1);
}

static void check_transfers(size_t bytes, size_t piece_size)
{
    oi_mpi_transport t;
    size_t total = bytes * (size_t)size + 1;
    uint8_t *send = malloc(total), *received = malloc(total), *gathered = malloc(total);
    int right = (rank + 1) % size, left = (rank + size - 1) % size;

    CHECK(send && received && gathered);
    open_transport(&t, MPI_COMM_WORLD, piece_size, 0.0);
    CHECK(t.one_machine);
    for (int to = 0; to < size; to++)
        for (size_t i = 0; i < bytes; i++)
            send[(size_t)to * bytes + i] = pattern(rank, to, i);
    memset(received, 0xa5, total);
    memset(gathered, 0xa5, total);
    CHECK(t.interface.start_alltoall(&t, 2, send, received, bytes) == OPTINC_OK);
    CHECK(t.interface.start_allgather(&t, 7, send, gathered, bytes) == OPTINC_OK);
    t.interface.progress(&t);
    CHECK(t.interface.wait(&t, 2) == OPTINC_OK);
    CHECK(t.interface.wait(&t, 7) == OPTINC_OK);
    for (int from = 0; from < size; from++) {
        for (size_t i = 0; i < bytes; i++) {
            CHECK(received[(size_t)from * bytes + i] == pattern(from, rank, i));
            CHECK(gathered[(size_t)from * bytes + i] == pattern(from, 0, i));
        }
    }
    memset(received, 0xa5, total);
    CHECK(t.interface.start_sendrecv(&t, 0, send, (uint32_t)right, received, (uint32_t)left,
                                     bytes) == OPTINC_OK);
    CHECK(t.interface.wait(&t, 0) == OPTINC_OK);
    for (size_t i = 0; i < bytes; i++)
        CHECK(received[i] == pattern(left, 0, i));
    oi_mpi_transport_close(&t);
    CHECK(t.comm == MPI_COMM_NULL);
    free(send);
    free(received);
    free(gathered);
}

/* Bytes are unsigned: 128 and more are the largest, not the smallest. */
static void check_max(size_t bytes, size_t piece_size)
{
    oi_mpi_transport t;
    uint8_t *data = malloc(bytes);

    CHECK(data != NULL);
    open_transport(&t, MPI_COMM_WORLD, piece_size, 0.0);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)((i + (size_t)rank * 67) % 256);
    CHECK(t.interface.start_max(&t, 3, data, bytes) == OPTINC_OK);
    CHECK(t.interface.wait(&t, 3) == OPTINC_OK);
    for (size_t i = 0; i < bytes; i++) {
        size_t largest = 0;

        for (size_t r = 0; r < (size_t)size; r++)
            largest = (i + r * 67) % 256 > largest ? (i + r * 67) % 256 : largest;
        CHECK(data[i] == largest);
    }
    oi_mpi_transport_close(&t);
    free(data);
}

static void check_overflow(void)
{
    oi_mpi_transport t;
    uint8_t byte = 0;

    open_transport(&t, MPI_COMM_SELF, 1000, 0.0);
    CHECK(t.interface.start_alltoall(&t, 0, &byte, &byte, ((size_t)INT_MAX + 1) * 1000) ==
          OPTINC_ERR_OVERFLOW);
    oi_mpi_transport_close(&t);
}

/* Rank 0 comes only after the others have given up waiting for it. The buffer outlives the call: it
 * belongs to the operation until that has ended. */
static void check_timeout(void)
{
    static uint8_t data[16];
    oi_mpi_transport t;
    optinc_status status = OPTINC_ERR_TIMEOUT;

    open_transport(&t, MPI_COMM_WORLD, 0, 30.0);
    t.timeout_seconds = 0.05;
    memset(data, rank, sizeof data);
    if (rank == 0)
        MPI_Barrier(MPI_COMM_WORLD);
    CHECK(t.interface.start_max(&t, 1, data, sizeof data) == OPTINC_OK);
    if (rank != 0) {
        CHECK(t.interface.wait(&t, 1) == OPTINC_ERR_TIMEOUT);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    while (status == OPTINC_ERR_TIMEOUT)
        status = t.interface.wait(&t, 1);
    CHECK(status == OPTINC_OK);
    CHECK(data[0] == size - 1);
    oi_mpi_transport_close(&t);
}

static void check_piece_sizes(void)
{
    const oi_mpi_transport_options options = {0.0, rank == size - 1 ? 500 : 1000};
    oi_mpi_transport t;
    MPI_Comm own;

    CHECK(MPI_Comm_dup(MPI_COMM_WORLD, &own) == MPI_SUCCESS);
    CHECK(oi_mpi_transport_open(&t, own, &options, NULL) ==
          (size > 1 ? OPTINC_ERR_MISMATCH : OPTINC_OK));
    oi_mpi_transport_close(&t);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    check_transfers(0, 1000);
    check_transfers(1, 1000);
    check_transfers(999, 1000);
    check_transfers(1000, 1000);
    check_transfers(1001, 1000);
    check_transfers(123456, 1000);
    check_transfers(123456, 0);
    check_max(1, 0);
    check_max(256, 0);
    check_max(100000, 0);
    check_max(100000, 999);
    check_piece_sizes();
    check_overflow();
    if (size > 1)
        check_timeout();
    MPI_Finalize();
    return 0;
}
