/* SPDX-License-Identifier: Apache-2.0 */
/* The transport over MPI's nonblocking operations. */
#ifndef OI_MPI_TRANSPORT_H
#define OI_MPI_TRANSPORT_H

#include "optinc/mpi.h"

/* A slot's operation has one request, or two for a sendrecv. */
#define OI_MPI_REQUESTS 2

typedef struct oi_mpi_transport {
    optinc_transport interface;
    MPI_Comm comm; /* the transport's own, with MPI_ERRORS_RETURN */
    MPI_Op max;    /* of unsigned bytes */
    MPI_Request requests[OPTINC_TRANSPORT_SLOTS][OI_MPI_REQUESTS];
    size_t count_max; /* longer transfers travel as one element of a derived type */
    double timeout_seconds;
    optinc_log log;
    int failure; /* MPI's code, seen while progressing */
} oi_mpi_transport;

/* Takes comm, which nobody else uses: close frees it. `count_max` is INT_MAX, or less to test long
 * transfers. After an error the transport is to be closed as well. */
optinc_status oi_mpi_transport_open(oi_mpi_transport *transport, MPI_Comm comm, size_t count_max,
                                    double timeout_seconds,
                                    const optinc_log *log) OPTINC_WARN_UNUSED;
/* Frees the communicator unless operations are in flight, which then belong to MPI. */
void oi_mpi_transport_close(oi_mpi_transport *transport);

#endif
