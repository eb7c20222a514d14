/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <stdlib.h>

struct optinc_mpi_context {
    oi_mpi_transport transport;
    optinc_collective *collective;
    optinc_allreduce_report report;
    uint64_t step;
    float *scratch; /* of the ring */
    size_t scratch_count;
};

static optinc_status check_communicator(MPI_Comm comm)
{
    int ready = 0, over = 0, inter = 0;

    MPI_Initialized(&ready);
    MPI_Finalized(&over);
    if (!ready || over || comm == MPI_COMM_NULL)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (MPI_Comm_test_inter(comm, &inter) != MPI_SUCCESS)
        return OPTINC_ERR_INVALID_ARGUMENT;
    return inter ? OPTINC_ERR_UNSUPPORTED : OPTINC_OK;
}

optinc_status optinc_mpi_context_create(const optinc_design *design, MPI_Comm comm,
                                        const optinc_mpi_options *options, const optinc_log *log,
                                        optinc_mpi_context **out)
{
    const optinc_mpi_options defaults = {0};
    oi_mpi_transport_options transport_options;
    MPI_Comm own = MPI_COMM_NULL;
    optinc_mpi_context *context;
    optinc_status status;

    if (!out)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *out = NULL;
    status = check_communicator(comm);
    if (status != OPTINC_OK)
        return status;
    if (!options)
        options = &defaults;
    context = calloc(1, sizeof *context);
    if (!context)
        return OPTINC_ERR_OUT_OF_MEMORY;
    if (MPI_Comm_dup(comm, &own) != MPI_SUCCESS) {
        free(context);
        return OPTINC_ERR_TRANSPORT;
    }
    transport_options = (oi_mpi_transport_options){options->timeout_seconds, options->piece_bytes};
    status = oi_mpi_transport_open(&context->transport, own, &transport_options, log);
    if (status == OPTINC_OK)
        status = optinc_collective_create(&context->transport.interface, design,
                                          &options->collective, log, &context->collective);
    if (status != OPTINC_OK)
        optinc_mpi_context_destroy(&context);
    *out = context;
    return status;
}

void optinc_mpi_context_destroy(optinc_mpi_context **context)
{
    if (!context || !*context)
        return;
    optinc_collective_destroy(&(*context)->collective);
    oi_mpi_transport_close(&(*context)->transport);
    free((*context)->scratch);
    free(*context);
    *context = NULL;
}

optinc_status optinc_mpi_allreduce(optinc_mpi_context *context, const void *sendbuf, float *recvbuf,
                                   size_t count, optinc_op op)
{
    optinc_allreduce_args args = {
        .input = sendbuf == MPI_IN_PLACE ? recvbuf : sendbuf,
        .output = recvbuf,
        .count = count,
        .op = op,
    };

    if (!context)
        return OPTINC_ERR_INVALID_ARGUMENT;
    args.step = context->step++;
    return optinc_allreduce(context->collective, &args, &context->report);
}

optinc_status optinc_mpi_ring_allreduce(optinc_mpi_context *context, const void *sendbuf,
                                        float *recvbuf, size_t count, optinc_op op)
{
    size_t share;

    if (!context)
        return OPTINC_ERR_INVALID_ARGUMENT;
    share = count / context->transport.interface.size + 1;
    if (share > context->scratch_count) {
        free(context->scratch);
        context->scratch_count = 0;
        context->scratch = share < SIZE_MAX / sizeof(float) ? malloc(share * sizeof(float)) : NULL;
        if (!context->scratch)
            return OPTINC_ERR_OUT_OF_MEMORY;
        context->scratch_count = share;
    }
    return optinc_ring_allreduce(&context->transport.interface,
                                 sendbuf == MPI_IN_PLACE ? recvbuf : sendbuf, recvbuf, count, op,
                                 context->scratch);
}

const optinc_allreduce_report *optinc_mpi_report(const optinc_mpi_context *context)
{
    return &context->report;
}

optinc_collective *optinc_mpi_collective(optinc_mpi_context *context)
{
    return context->collective;
}

const optinc_transport *optinc_mpi_transport(const optinc_mpi_context *context)
{
    return &context->transport.interface;
}
