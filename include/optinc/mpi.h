/* SPDX-License-Identifier: Apache-2.0 */
/* The all-reduce through a switch for MPI programs. There is one library for each MPI, as their
 * binary interfaces differ: liboptinc_mpi_openmpi and liboptinc_mpi_mpich; this header takes the
 * mpi.h that the program is compiled with.
 *
 *     optinc_mpi_context_create(design, MPI_COMM_WORLD, NULL, NULL, &context);
 *     optinc_mpi_allreduce(context, MPI_IN_PLACE, gradient, count, OPTINC_MEAN);
 *     optinc_mpi_context_destroy(&context);
 *
 * Calls on one context come from one thread at a time. With MPI_THREAD_MULTIPLE different contexts
 * may be used by different threads. */
#ifndef OPTINC_MPI_H
#define OPTINC_MPI_H

#include "optinc/collective.h"

#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct optinc_mpi_options {
    optinc_collective_options collective;
    /* A rank that does not answer for this long ends the context with OPTINC_ERR_TIMEOUT on the
     * ranks that wait for it; 0: they wait for ever, as MPI does. */
    double timeout_seconds;
    /* Longer messages travel in pieces of this many bytes; 0: whole among ranks of one machine,
     * otherwise 32 KiB, which MPIs send without asking the receiver first. The same on all ranks. */
    size_t piece_bytes;
} optinc_mpi_options;

typedef struct optinc_mpi_context optinc_mpi_context;

/* Collective over comm, an intracommunicator (another one: OPTINC_ERR_UNSUPPORTED), which is
 * duplicated. The design is borrowed and must outlive the context. Errors as
 * optinc_collective_create, the same on all ranks; before MPI_Init, after MPI_Finalize and for
 * MPI_COMM_NULL OPTINC_ERR_INVALID_ARGUMENT. options NULL: defaults. */
OPTINC_API optinc_status optinc_mpi_context_create(const optinc_design *design, MPI_Comm comm,
                                                   const optinc_mpi_options *options,
                                                   const optinc_log *log,
                                                   optinc_mpi_context **out) OPTINC_WARN_UNUSED;

/* Collective, before MPI_Finalize: frees the duplicate. Safe on NULL and twice. After a failure of
 * the transport the duplicate, whose operations may never end, is left to MPI. */
OPTINC_API void optinc_mpi_context_destroy(optinc_mpi_context **context);

/* As MPI_Allreduce of MPI_FLOAT: sendbuf [count] floats or MPI_IN_PLACE, recvbuf [count]. The
 * context counts its calls: call number i is step i of the stochastic roundings. Errors as
 * optinc_allreduce, and OPTINC_ERR_TIMEOUT. */
OPTINC_API optinc_status optinc_mpi_allreduce(optinc_mpi_context *context, const void *sendbuf,
                                              float *recvbuf, size_t count,
                                              optinc_op op) OPTINC_WARN_UNUSED;

/* The same through the plain float ring, which takes count/size floats of memory at the first call
 * and where a call is longer than all before. */
OPTINC_API optinc_status optinc_mpi_ring_allreduce(optinc_mpi_context *context, const void *sendbuf,
                                                   float *recvbuf, size_t count,
                                                   optinc_op op) OPTINC_WARN_UNUSED;

/* What the last optinc_mpi_allreduce did, on this rank. Borrowed, overwritten by the next. */
OPTINC_API const optinc_allreduce_report *optinc_mpi_report(const optinc_mpi_context *context);

/* The collective and the transport under the context, for error feedback and steps of the caller's
 * own. Borrowed. */
OPTINC_API optinc_collective *optinc_mpi_collective(optinc_mpi_context *context);
OPTINC_API const optinc_transport *optinc_mpi_transport(const optinc_mpi_context *context);

#ifdef __cplusplus
}
#endif
#endif
