/* SPDX-License-Identifier: Apache-2.0 */
/* The transport over MPI's nonblocking operations. */
#ifndef OI_MPI_TRANSPORT_H
#define OI_MPI_TRANSPORT_H

#include "optinc/mpi.h"

/* What is in flight in a slot, and memory that its next operations use again. */
typedef struct oi_mpi_slot {
    MPI_Request *requests;
    MPI_Status *statuses;
    size_t request_capacity, status_capacity;
    int request_count;
    /* a maximum: everyone's bytes */
    uint8_t *gathered; /* [ranks][data_size] */
    size_t gathered_capacity;
    uint32_t gathered_ranks; /* 0: no such operation */
    uint8_t *data;
    size_t data_size;
} oi_mpi_slot;

typedef struct oi_mpi_transport {
    optinc_transport interface;
    MPI_Comm comm; /* the transport's own, with MPI_ERRORS_RETURN */
    MPI_Op max;    /* of unsigned bytes */
    oi_mpi_slot slots[OPTINC_TRANSPORT_SLOTS];
    size_t piece_size; /* of messages; at most INT_MAX */
    bool one_machine;  /* all ranks are on it */
    double timeout_seconds;
    optinc_log log;
    int failure; /* MPI's code, seen while progressing */
} oi_mpi_transport;

typedef struct oi_mpi_transport_options {
    double timeout_seconds; /* 0: none */
    size_t piece_size;      /* 0: chosen */
} oi_mpi_transport_options;

/* Collective. Takes comm, which nobody else uses: close frees it. After an error the transport is to
 * be closed as well. Ranks with different piece sizes all get OPTINC_ERR_MISMATCH. */
optinc_status oi_mpi_transport_open(oi_mpi_transport *transport, MPI_Comm comm,
                                    const oi_mpi_transport_options *options,
                                    const optinc_log *log) OPTINC_WARN_UNUSED;
/* Frees the communicator unless operations are in flight, which then belong to MPI. */
void oi_mpi_transport_close(oi_mpi_transport *transport);

/* Until all requests are complete, or the transport's time limit is over. statuses [count] */
optinc_status oi_mpi_wait(oi_mpi_transport *transport, int count, MPI_Request *requests,
                          MPI_Status *statuses) OPTINC_WARN_UNUSED;

#endif
