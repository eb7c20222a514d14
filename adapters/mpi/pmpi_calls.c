/* SPDX-License-Identifier: Apache-2.0 */
/* The C entry points. */
#include "pmpi.h"

#include <stdint.h>

#define EXPORTED __attribute__((visibility("default")))

int pmpi_result(MPI_Comm comm, optinc_status status)
{
    if (status == OPTINC_OK)
        return MPI_SUCCESS;
    fprintf(stderr, "optinc: an all-reduce failed: %s\n", optinc_status_text(status));
    PMPI_Comm_call_errhandler(comm, MPI_ERR_OTHER);
    return MPI_ERR_OTHER;
}

static int reduce_blocking(const void *sendbuf, void *recvbuf, uint64_t count, MPI_Comm comm,
                           pmpi_context *context)
{
    const float *input = sendbuf == MPI_IN_PLACE ? recvbuf : sendbuf;
    optinc_status status = pmpi_reduce_in_turn(context, input, recvbuf, (size_t)count);

    pmpi_count(status == OPTINC_OK ? PMPI_ROUTE_SWITCHED : PMPI_ROUTE_FAILED, count);
    return pmpi_result(comm, status);
}

bool pmpi_ends_here(pmpi_route route, uint64_t count, MPI_Comm comm, int *code)
{
    pmpi_count(route, count);
    if (route == PMPI_ROUTE_REFUSED)
        *code = pmpi_result(comm, OPTINC_ERR_UNSUPPORTED);
    else if (route == PMPI_ROUTE_FAILED)
        *code = pmpi_result(comm, OPTINC_ERR_OUT_OF_MEMORY);
    return route == PMPI_ROUTE_REFUSED || route == PMPI_ROUTE_FAILED;
}

EXPORTED int MPI_Allreduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
                           MPI_Op op, MPI_Comm comm)
{
    uint64_t elements = count > 0 ? (uint64_t)count : 0;
    pmpi_context *context = NULL;
    pmpi_route route =
        pmpi_route_call(sendbuf, recvbuf, elements, type, op, comm, PMPI_BLOCKING, &context);
    int code;

    if (route == PMPI_ROUTE_SWITCHED)
        return reduce_blocking(sendbuf, recvbuf, elements, comm, context);
    if (pmpi_ends_here(route, elements, comm, &code))
        return code;
    if (pmpi_is_watched(route))
        return pmpi_pass_watched(sendbuf, recvbuf, count, type, op, comm);
    return PMPI_Allreduce(sendbuf, recvbuf, count, type, op, comm);
}

EXPORTED int MPI_Iallreduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
                            MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    uint64_t elements = count > 0 ? (uint64_t)count : 0;
    pmpi_context *context = NULL;
    pmpi_route route =
        pmpi_route_call(sendbuf, recvbuf, elements, type, op, comm, PMPI_NONBLOCKING, &context);
    int code;

    if (route == PMPI_ROUTE_SWITCHED)
        return pmpi_start(context, sendbuf == MPI_IN_PLACE ? recvbuf : sendbuf, recvbuf,
                          (size_t)elements, request);
    if (pmpi_ends_here(route, elements, comm, &code))
        return code;
    return PMPI_Iallreduce(sendbuf, recvbuf, count, type, op, comm, request);
}

#if MPI_VERSION >= 4
EXPORTED int MPI_Allreduce_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype type,
                             MPI_Op op, MPI_Comm comm)
{
    uint64_t elements = count > 0 ? (uint64_t)count : 0;
    pmpi_context *context = NULL;
    pmpi_route route =
        pmpi_route_call(sendbuf, recvbuf, elements, type, op, comm, PMPI_BLOCKING, &context);
    int code;

    if (route == PMPI_ROUTE_SWITCHED)
        return reduce_blocking(sendbuf, recvbuf, elements, comm, context);
    if (pmpi_ends_here(route, elements, comm, &code))
        return code;
    if (pmpi_is_watched(route) && count <= INT32_MAX)
        return pmpi_pass_watched(sendbuf, recvbuf, (int)count, type, op, comm);
    return PMPI_Allreduce_c(sendbuf, recvbuf, count, type, op, comm);
}

EXPORTED int MPI_Iallreduce_c(const void *sendbuf, void *recvbuf, MPI_Count count,
                              MPI_Datatype type, MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    uint64_t elements = count > 0 ? (uint64_t)count : 0;
    pmpi_context *context = NULL;
    pmpi_route route =
        pmpi_route_call(sendbuf, recvbuf, elements, type, op, comm, PMPI_NONBLOCKING, &context);
    int code;

    if (route == PMPI_ROUTE_SWITCHED)
        return pmpi_start(context, sendbuf == MPI_IN_PLACE ? recvbuf : sendbuf, recvbuf,
                          (size_t)elements, request);
    if (pmpi_ends_here(route, elements, comm, &code))
        return code;
    return PMPI_Iallreduce_c(sendbuf, recvbuf, count, type, op, comm, request);
}
#endif

EXPORTED int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    int got = required, code;

    pmpi_check_mpi();
    code = PMPI_Init_thread(argc, argv, pmpi_thread_level(required), &got);
    if (provided)
        *provided = got;
    if (code == MPI_SUCCESS)
        pmpi_begin(got);
    return code;
}

EXPORTED int MPI_Init(int *argc, char ***argv)
{
    return MPI_Init_thread(argc, argv, MPI_THREAD_SINGLE, NULL);
}

EXPORTED int MPI_Finalize(void)
{
    pmpi_guard guard;
    int code;

    if (!pmpi_end())
        return PMPI_Finalize();
    pmpi_guard_begin(&guard, "MPI_Finalize");
    code = PMPI_Finalize();
    pmpi_guard_end(&guard);
    return code;
}
