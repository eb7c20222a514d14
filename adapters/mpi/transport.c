/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

/* In the interposition library the transport must not meet that library's own wrappers. */
#ifdef OI_MPI_INTERPOSED
#include "pmpi_names.h"
#endif

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static optinc_status check(const oi_mpi_transport *t, int code, const char *what)
{
    char text[MPI_MAX_ERROR_STRING + 64];
    char reason[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (code == MPI_SUCCESS)
        return OPTINC_OK;
    if (t->log.write) {
        MPI_Error_string(code, reason, &length);
        snprintf(text, sizeof text, "%s: %s", what, reason);
        t->log.write(t->log.user, OPTINC_LOG_ERROR, text);
    }
    return OPTINC_ERR_TRANSPORT;
}

/* MPI counts with int: more bytes than that travel as one element of a type that is whole pieces and
 * a rest. A type may be freed while operations with it are in flight. */
typedef struct extent {
    MPI_Datatype type;
    int count;
    bool derived;
} extent;

static int make_long_type(size_t bytes, size_t piece, MPI_Datatype *type)
{
    int lengths[2] = {(int)(bytes / piece), (int)(bytes % piece)};
    MPI_Aint places[2] = {0, (MPI_Aint)(bytes - bytes % piece)};
    MPI_Datatype types[2] = {MPI_DATATYPE_NULL, MPI_BYTE};
    int code = MPI_Type_contiguous((int)piece, MPI_BYTE, &types[0]);

    if (code != MPI_SUCCESS)
        return code;
    code = MPI_Type_create_struct(2, lengths, places, types, type);
    MPI_Type_free(&types[0]);
    if (code == MPI_SUCCESS)
        code = MPI_Type_commit(type);
    return code;
}

static optinc_status open_extent(const oi_mpi_transport *t, size_t bytes, extent *e)
{
    *e = (extent){MPI_BYTE, (int)bytes, false};
    if (bytes <= t->count_max)
        return OPTINC_OK;
    if (bytes / t->count_max > t->count_max)
        return OPTINC_ERR_OVERFLOW;
    e->count = 1;
    e->derived = true;
    return check(t, make_long_type(bytes, t->count_max, &e->type), "a type for a long transfer");
}

static void close_extent(extent *e)
{
    if (e->derived)
        MPI_Type_free(&e->type);
}

static optinc_status start_alltoall(void *user, uint32_t slot, const void *send, void *receive,
                                    size_t bytes)
{
    oi_mpi_transport *t = user;
    extent e;
    optinc_status status = open_extent(t, bytes, &e);

    if (status != OPTINC_OK)
        return status;
    status = check(t,
                   MPI_Ialltoall(send, e.count, e.type, receive, e.count, e.type, t->comm,
                                 &t->requests[slot][0]),
                   "MPI_Ialltoall");
    close_extent(&e);
    return status;
}

static optinc_status start_allgather(void *user, uint32_t slot, const void *send, void *receive,
                                     size_t bytes)
{
    oi_mpi_transport *t = user;
    extent e;
    optinc_status status = open_extent(t, bytes, &e);

    if (status != OPTINC_OK)
        return status;
    status = check(t,
                   MPI_Iallgather(send, e.count, e.type, receive, e.count, e.type, t->comm,
                                  &t->requests[slot][0]),
                   "MPI_Iallgather");
    close_extent(&e);
    return status;
}

/* MPI_MAX of unsigned bytes compares them as signed ones in MPICH 4.0.2, so the operation is our own.
 * The signature is MPI's. */
static void max_of_bytes(void *in, void *inout, int *count, MPI_Datatype *type)
{
    const uint8_t *a = in;
    uint8_t *b = inout;

    (void)type;
    for (int i = 0; i < *count; i++)
        b[i] = a[i] > b[i] ? a[i] : b[i];
}

static optinc_status start_max(void *user, uint32_t slot, uint8_t *data, size_t bytes)
{
    oi_mpi_transport *t = user;

    /* the operation is for bytes, not for a derived type of them; this is one byte a block */
    if (bytes > INT_MAX)
        return OPTINC_ERR_OVERFLOW;
    return check(t,
                 MPI_Iallreduce(MPI_IN_PLACE, data, (int)bytes, MPI_BYTE, t->max, t->comm,
                                &t->requests[slot][0]),
                 "MPI_Iallreduce");
}

static optinc_status start_sendrecv(void *user, uint32_t slot, const void *send, uint32_t to,
                                    void *receive, uint32_t from, size_t bytes)
{
    oi_mpi_transport *t = user;
    extent e;
    optinc_status status = open_extent(t, bytes, &e);

    if (status != OPTINC_OK)
        return status;
    status = check(
        t,
        MPI_Irecv(receive, e.count, e.type, (int)from, (int)slot, t->comm, &t->requests[slot][0]),
        "MPI_Irecv");
    if (status == OPTINC_OK)
        status = check(
            t, MPI_Isend(send, e.count, e.type, (int)to, (int)slot, t->comm, &t->requests[slot][1]),
            "MPI_Isend");
    close_extent(&e);
    return status;
}

static optinc_status wait_until(oi_mpi_transport *t, uint32_t slot)
{
    double end = seconds_now() + t->timeout_seconds;
    MPI_Status statuses[OI_MPI_REQUESTS];
    int done = 0;

    for (;;) {
        optinc_status status = check(
            t, MPI_Testall(OI_MPI_REQUESTS, t->requests[slot], &done, statuses), "MPI_Testall");

        if (status != OPTINC_OK || done)
            return status;
        if (seconds_now() > end) {
            if (t->log.write)
                t->log.write(t->log.user, OPTINC_LOG_ERROR, "a rank does not answer");
            return OPTINC_ERR_TIMEOUT;
        }
        sched_yield();
    }
}

static optinc_status wait_slot(void *user, uint32_t slot)
{
    oi_mpi_transport *t = user;
    MPI_Status statuses[OI_MPI_REQUESTS];

    if (t->failure != MPI_SUCCESS)
        return check(t, t->failure, "MPI_Testall");
    if (t->timeout_seconds > 0)
        return wait_until(t, slot);
    return check(t, MPI_Waitall(OI_MPI_REQUESTS, t->requests[slot], statuses), "MPI_Waitall");
}

static void progress(void *user)
{
    oi_mpi_transport *t = user;
    MPI_Status statuses[OPTINC_TRANSPORT_SLOTS * OI_MPI_REQUESTS];
    int done, code;

    code =
        MPI_Testall(OPTINC_TRANSPORT_SLOTS * OI_MPI_REQUESTS, &t->requests[0][0], &done, statuses);
    if (code != MPI_SUCCESS && t->failure == MPI_SUCCESS)
        t->failure = code;
}

optinc_status oi_mpi_transport_open(oi_mpi_transport *t, MPI_Comm comm, size_t count_max,
                                    double timeout_seconds, const optinc_log *log)
{
    int rank = 0, size = 1;
    optinc_status status;

    memset(t, 0, sizeof *t);
    if (log)
        t->log = *log;
    t->comm = comm;
    t->max = MPI_OP_NULL;
    t->count_max = count_max;
    t->timeout_seconds = timeout_seconds;
    t->failure = MPI_SUCCESS;
    for (uint32_t slot = 0; slot < OPTINC_TRANSPORT_SLOTS; slot++)
        t->requests[slot][0] = t->requests[slot][1] = MPI_REQUEST_NULL;
    MPI_Comm_set_errhandler(t->comm, MPI_ERRORS_RETURN);
    status = check(t, MPI_Op_create(max_of_bytes, 1, &t->max), "MPI_Op_create");
    if (status != OPTINC_OK)
        return status;
    MPI_Comm_rank(t->comm, &rank);
    MPI_Comm_size(t->comm, &size);
    t->interface = (optinc_transport){
        .user = t,
        .rank = (uint32_t)rank,
        .size = (uint32_t)size,
        .start_alltoall = start_alltoall,
        .start_allgather = start_allgather,
        .start_max = start_max,
        .start_sendrecv = start_sendrecv,
        .wait = wait_slot,
        .progress = progress,
    };
    return OPTINC_OK;
}

void oi_mpi_transport_close(oi_mpi_transport *t)
{
    bool idle = true;

    for (uint32_t slot = 0; slot < OPTINC_TRANSPORT_SLOTS; slot++)
        for (uint32_t i = 0; i < OI_MPI_REQUESTS; i++)
            idle = idle && t->requests[slot][i] == MPI_REQUEST_NULL;
    if (!idle)
        return;
    if (t->max != MPI_OP_NULL)
        MPI_Op_free(&t->max);
    if (t->comm != MPI_COMM_NULL)
        MPI_Comm_free(&t->comm);
}
