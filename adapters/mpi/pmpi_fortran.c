/* SPDX-License-Identifier: Apache-2.0 */
/* Fortran entry points of Open MPI, whose Fortran functions call the profiling names of C and so
 * pass by a C wrapper. (MPICH's call the MPI_ names: its C wrappers see them.) The modules' bindings
 * end in the ompi_*_f functions. Arguments come by reference, handles as integers. */
#include "pmpi.h"

#if defined(OPEN_MPI)

#define EXPORTED __attribute__((visibility("default")))

/* The addresses that stand for MPI_IN_PLACE and MPI_BOTTOM: common blocks of Open MPI. */
extern int mpi_fortran_in_place_;
extern int mpi_fortran_bottom_;

static void *buffer_of(void *fortran)
{
    if (fortran == &mpi_fortran_in_place_)
        return MPI_IN_PLACE;
    return fortran == &mpi_fortran_bottom_ ? MPI_BOTTOM : fortran;
}

EXPORTED void ompi_allreduce_f(char *sendbuf, char *recvbuf, MPI_Fint *count, MPI_Fint *type,
                               MPI_Fint *op, MPI_Fint *comm, MPI_Fint *error);
EXPORTED void ompi_iallreduce_f(char *sendbuf, char *recvbuf, MPI_Fint *count, MPI_Fint *type,
                                MPI_Fint *op, MPI_Fint *comm, MPI_Fint *request, MPI_Fint *error);
EXPORTED void ompi_init_f(MPI_Fint *error);
EXPORTED void ompi_init_thread_f(MPI_Fint *required, MPI_Fint *provided, MPI_Fint *error);
EXPORTED void ompi_finalize_f(MPI_Fint *error);

void ompi_allreduce_f(char *sendbuf, char *recvbuf, MPI_Fint *count, MPI_Fint *type, MPI_Fint *op,
                      MPI_Fint *comm, MPI_Fint *error)
{
    int code = MPI_Allreduce(buffer_of(sendbuf), buffer_of(recvbuf), *count, PMPI_Type_f2c(*type),
                             PMPI_Op_f2c(*op), PMPI_Comm_f2c(*comm));

    if (error)
        *error = code;
}

void ompi_iallreduce_f(char *sendbuf, char *recvbuf, MPI_Fint *count, MPI_Fint *type, MPI_Fint *op,
                       MPI_Fint *comm, MPI_Fint *request, MPI_Fint *error)
{
    MPI_Request c_request = MPI_REQUEST_NULL;
    int code = MPI_Iallreduce(buffer_of(sendbuf), buffer_of(recvbuf), *count, PMPI_Type_f2c(*type),
                              PMPI_Op_f2c(*op), PMPI_Comm_f2c(*comm), &c_request);

    if (error)
        *error = code;
    if (code == MPI_SUCCESS)
        *request = PMPI_Request_c2f(c_request);
}

void ompi_init_f(MPI_Fint *error)
{
    int code = MPI_Init(NULL, NULL);

    if (error)
        *error = code;
}

void ompi_init_thread_f(MPI_Fint *required, MPI_Fint *provided, MPI_Fint *error)
{
    int got = *required;
    int code = MPI_Init_thread(NULL, NULL, *required, &got);

    if (error)
        *error = code;
    if (code == MPI_SUCCESS)
        *provided = got;
}

void ompi_finalize_f(MPI_Fint *error)
{
    int code = MPI_Finalize();

    if (error)
        *error = code;
}

/* The names that compilers make of them. */
#define ALIASES(lower, upper, f, target, ...)                                                      \
    EXPORTED void lower(__VA_ARGS__) __attribute__((alias(#target)));                              \
    EXPORTED void lower##_(__VA_ARGS__) __attribute__((alias(#target)));                           \
    EXPORTED void lower##__(__VA_ARGS__) __attribute__((alias(#target)));                          \
    EXPORTED void upper(__VA_ARGS__) __attribute__((alias(#target)));                              \
    EXPORTED void f(__VA_ARGS__) __attribute__((alias(#target)));                                  \
    EXPORTED void f##08(__VA_ARGS__) __attribute__((alias(#target)))

ALIASES(mpi_allreduce, MPI_ALLREDUCE, MPI_Allreduce_f, ompi_allreduce_f, char *, char *, MPI_Fint *,
        MPI_Fint *, MPI_Fint *, MPI_Fint *, MPI_Fint *);
ALIASES(mpi_iallreduce, MPI_IALLREDUCE, MPI_Iallreduce_f, ompi_iallreduce_f, char *, char *,
        MPI_Fint *, MPI_Fint *, MPI_Fint *, MPI_Fint *, MPI_Fint *, MPI_Fint *);
ALIASES(mpi_init, MPI_INIT, MPI_Init_f, ompi_init_f, MPI_Fint *);
ALIASES(mpi_init_thread, MPI_INIT_THREAD, MPI_Init_thread_f, ompi_init_thread_f, MPI_Fint *,
        MPI_Fint *, MPI_Fint *);
ALIASES(mpi_finalize, MPI_FINALIZE, MPI_Finalize_f, ompi_finalize_f, MPI_Fint *);

#endif
