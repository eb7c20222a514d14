/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <limits.h>

static optinc_status status_of(int code)
{
    return code == MPI_SUCCESS ? OPTINC_OK : OPTINC_ERR_TRANSPORT;
}

static optinc_status start_alltoall(void *user, uint32_t slot, const void *send, void *receive,
                                    size_t bytes)
{
    blocking_transport *t = user;

    (void)slot;
    if (bytes > INT_MAX)
        return OPTINC_ERR_OVERFLOW;
    return status_of(
        MPI_Alltoall(send, (int)bytes, MPI_BYTE, receive, (int)bytes, MPI_BYTE, t->comm));
}

static optinc_status start_allgather(void *user, uint32_t slot, const void *send, void *receive,
                                     size_t bytes)
{
    blocking_transport *t = user;

    (void)slot;
    if (bytes > INT_MAX)
        return OPTINC_ERR_OVERFLOW;
    return status_of(
        MPI_Allgather(send, (int)bytes, MPI_BYTE, receive, (int)bytes, MPI_BYTE, t->comm));
}

/* The signature is MPI's. */
static void max_of_bytes(void *in, void *inout, int *count, MPI_Datatype *type)
{
    const unsigned char *a = in;
    unsigned char *b = inout;

    (void)type;
    for (int i = 0; i < *count; i++)
        b[i] = a[i] > b[i] ? a[i] : b[i];
}

static optinc_status start_max(void *user, uint32_t slot, uint8_t *data, size_t bytes)
{
    blocking_transport *t = user;

    (void)slot;
    if (bytes > INT_MAX)
        return OPTINC_ERR_OVERFLOW;
    return status_of(MPI_Allreduce(MPI_IN_PLACE, data, (int)bytes, MPI_BYTE, t->max, t->comm));
}

static optinc_status start_sendrecv(void *user, uint32_t slot, const void *send, uint32_t to,
                                    void *receive, uint32_t from, size_t bytes)
{
    blocking_transport *t = user;

    (void)slot;
    if (bytes > INT_MAX)
        return OPTINC_ERR_OVERFLOW;
    return status_of(MPI_Sendrecv(send, (int)bytes, MPI_BYTE, (int)to, 0, receive, (int)bytes,
                                  MPI_BYTE, (int)from, 0, t->comm, MPI_STATUS_IGNORE));
}

static optinc_status wait_slot(void *user, uint32_t slot)
{
    (void)user;
    (void)slot;
    return OPTINC_OK; /* every start has finished its work */
}

optinc_status blocking_transport_open(blocking_transport *transport, MPI_Comm comm,
                                      optinc_transport *interface)
{
    int rank, size;

    transport->comm = comm;
    if (MPI_Comm_rank(comm, &rank) != MPI_SUCCESS || MPI_Comm_size(comm, &size) != MPI_SUCCESS ||
        MPI_Op_create(max_of_bytes, 1, &transport->max) != MPI_SUCCESS)
        return OPTINC_ERR_TRANSPORT;
    *interface = (optinc_transport){.user = transport,
                                    .rank = (uint32_t)rank,
                                    .size = (uint32_t)size,
                                    .start_alltoall = start_alltoall,
                                    .start_allgather = start_allgather,
                                    .start_max = start_max,
                                    .start_sendrecv = start_sendrecv,
                                    .wait = wait_slot};
    return OPTINC_OK;
}

void blocking_transport_close(blocking_transport *transport)
{
    MPI_Op_free(&transport->max);
}
