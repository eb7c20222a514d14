/* SPDX-License-Identifier: Apache-2.0 */
/* MPICH's module mpi_f08 calls the profiling names of C, with buffers as descriptors of the Fortran
 * standard. Buffers in one piece go to the C entry points; others are MPICH's own. Handles are structs
 * of one integer, which in MPICH is the C handle. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "pmpi.h"

#if defined(MPICH_VERSION) && defined(__has_include)
#if __has_include(<ISO_Fortran_binding.h>)

#include <ISO_Fortran_binding.h>
#include <dlfcn.h>

#define EXPORTED __attribute__((visibility("default")))

/* The variables whose addresses stand for MPI_IN_PLACE and MPI_BOTTOM; of the Fortran library, which
 * a C program does not have. */
extern int MPIR_F08_MPI_IN_PLACE __attribute__((weak));
extern int MPIR_F08_MPI_BOTTOM __attribute__((weak));

typedef void allreduce_f08(CFI_cdesc_t *, CFI_cdesc_t *, const int *, const MPI_Datatype *,
                           const MPI_Op *, const MPI_Comm *, int *);
typedef void iallreduce_f08(CFI_cdesc_t *, CFI_cdesc_t *, const int *, const MPI_Datatype *,
                            const MPI_Op *, const MPI_Comm *, MPI_Request *, int *);

EXPORTED allreduce_f08 mpi_allreduce_f08ts_;
EXPORTED iallreduce_f08 mpi_iallreduce_f08ts_;
EXPORTED void mpi_init_f08_(int *error);
EXPORTED void mpi_init_thread_f08_(const int *required, int *provided, int *error);
EXPORTED void mpi_finalize_f08_(int *error);

static bool in_one_piece(const CFI_cdesc_t *buffer)
{
    CFI_index_t step = (CFI_index_t)buffer->elem_len;

    for (int i = 0; i < buffer->rank; i++) {
        if (buffer->dim[i].sm != step)
            return false;
        step *= buffer->dim[i].extent;
    }
    return true;
}

static void *address_of(const CFI_cdesc_t *buffer)
{
    if (buffer->base_addr == &MPIR_F08_MPI_IN_PLACE)
        return MPI_IN_PLACE;
    return buffer->base_addr == &MPIR_F08_MPI_BOTTOM ? MPI_BOTTOM : buffer->base_addr;
}

static bool usable(const CFI_cdesc_t *send, const CFI_cdesc_t *receive)
{
    return (address_of(send) == MPI_IN_PLACE || in_one_piece(send)) && in_one_piece(receive);
}

void mpi_allreduce_f08ts_(CFI_cdesc_t *send, CFI_cdesc_t *receive, const int *count,
                          const MPI_Datatype *type, const MPI_Op *op, const MPI_Comm *comm,
                          int *error)
{
    int code;

    if (!usable(send, receive)) {
        allreduce_f08 *own = (allreduce_f08 *)dlsym(RTLD_NEXT, "mpi_allreduce_f08ts_");

        own(send, receive, count, type, op, comm, error);
        return;
    }
    code = MPI_Allreduce(address_of(send), address_of(receive), *count, *type, *op, *comm);
    if (error)
        *error = code;
}

void mpi_iallreduce_f08ts_(CFI_cdesc_t *send, CFI_cdesc_t *receive, const int *count,
                           const MPI_Datatype *type, const MPI_Op *op, const MPI_Comm *comm,
                           MPI_Request *request, int *error)
{
    int code;

    if (!usable(send, receive)) {
        iallreduce_f08 *own = (iallreduce_f08 *)dlsym(RTLD_NEXT, "mpi_iallreduce_f08ts_");

        own(send, receive, count, type, op, comm, request, error);
        return;
    }
    code =
        MPI_Iallreduce(address_of(send), address_of(receive), *count, *type, *op, *comm, request);
    if (error)
        *error = code;
}

void mpi_init_f08_(int *error)
{
    int code = MPI_Init(NULL, NULL);

    if (error)
        *error = code;
}

void mpi_init_thread_f08_(const int *required, int *provided, int *error)
{
    int code = MPI_Init_thread(NULL, NULL, *required, provided);

    if (error)
        *error = code;
}

void mpi_finalize_f08_(int *error)
{
    int code = MPI_Finalize();

    if (error)
        *error = code;
}

#endif
#endif
