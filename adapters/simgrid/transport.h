/* SPDX-License-Identifier: Apache-2.0 */
/* The library's transport over blocking MPI collectives. SimGrid's SMPI lets --cfg choose the
 * algorithm of a blocking alltoall or allgather; its nonblocking ones start all their messages at
 * once, a million of them among 1,024 ranks, more than the simulator can follow. */
#ifndef OPTINC_SIMGRID_TRANSPORT_H
#define OPTINC_SIMGRID_TRANSPORT_H

#include "optinc/collective.h"

#include <mpi.h>

typedef struct blocking_transport {
    MPI_Comm comm; /* borrowed */
    MPI_Op max;    /* byte-wise, unsigned */
} blocking_transport;

optinc_status blocking_transport_open(blocking_transport *transport, MPI_Comm comm,
                                      optinc_transport *interface);
void blocking_transport_close(blocking_transport *transport);

#endif
