/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded before liboptinc_pmpi, under a program that does not check its sums: compares every element of
 * every MPI_Allreduce and MPI_Iallreduce of floats with the MPI's own sum in double, and the bits of all
 * ranks with each other. The bound is docs/training.md's, 2^e N for the sum, with N the least power of
 * two that is enough and e from the largest value of the block on any rank, plus the rounding of the result
 * to float. CHECK_SUMS_BITS is B. A nonblocking sum is complete when it has been checked. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

enum { BLOCK_SIZE = 256 };

typedef int allreduce(const void *, void *, int, MPI_Datatype, MPI_Op, MPI_Comm);
typedef int iallreduce(const void *, void *, int, MPI_Datatype, MPI_Op, MPI_Comm, MPI_Request *);

static long calls_right; /* the program is not threaded */

static void fail(const char *what, int element, double found, double expected, double bound)
{
    fprintf(stderr, "check_sums: %s: element %d is %.9g, not %.9g (bound %.3g)\n", what, element,
            found, expected, bound);
    PMPI_Abort(MPI_COMM_WORLD, 3);
}

static void *new_array(int count, size_t size)
{
    void *memory = calloc((size_t)count + 1, size);

    if (!memory) {
        fprintf(stderr, "check_sums: no memory\n");
        PMPI_Abort(MPI_COMM_WORLD, 3);
    }
    return memory;
}

/* 2^e N of a block: max|x| <= (2^(B-1)-1) 2^e */
static double bound_of(double largest, int bits, int ranks)
{
    double top = ldexp(1.0, bits - 1) - 1.0, step;
    int ports = 1;

    while (ports < ranks || ports < 2)
        ports *= 2;
    if (!(largest > 0.0))
        return 0.0;
    step = exp2(ceil(log2(largest / top)));
    return step * ports;
}

static void compare_bits(const float *result, int count, MPI_Comm comm)
{
    unsigned *own = new_array(count, sizeof *own), *all = new_array(count, sizeof *all);

    memcpy(own, result, (size_t)count * sizeof *own);
    PMPI_Allreduce(own, all, count, MPI_UNSIGNED, MPI_BAND, comm);
    if (memcmp(own, all, (size_t)count * sizeof *own))
        fail("the ranks' bits differ", 0, 0, 0, 0);
    free(own);
    free(all);
}

static void compare_values(const float *input, const float *result, int count, MPI_Comm comm)
{
    double *exact = new_array(count, sizeof *exact), *largest = new_array(count, sizeof *largest);
    const char *bits = getenv("CHECK_SUMS_BITS");
    int ranks;

    PMPI_Comm_size(comm, &ranks);
    for (int i = 0; i < count; i++) {
        exact[i] = (double)input[i];
        largest[i / BLOCK_SIZE] = fmax(largest[i / BLOCK_SIZE], fabs((double)input[i]));
    }
    PMPI_Allreduce(MPI_IN_PLACE, exact, count, MPI_DOUBLE, MPI_SUM, comm);
    PMPI_Allreduce(MPI_IN_PLACE, largest, count / BLOCK_SIZE + 1, MPI_DOUBLE, MPI_MAX, comm);
    for (int i = 0; i < count; i++) {
        double bound = bound_of(largest[i / BLOCK_SIZE], bits ? atoi(bits) : 8, ranks);

        bound += ldexp(fabs(exact[i]), -24);
        if (isfinite(exact[i]) && !(fabs((double)result[i] - exact[i]) <= bound))
            fail("a wrong sum", i, (double)result[i], exact[i], bound);
    }
    free(exact);
    free(largest);
}

/* A copy of the input, or NULL where the call is no sum of floats among ranks. */
static float *keep(const void *sendbuf, const void *recvbuf, int count, MPI_Datatype type,
                   MPI_Op op, MPI_Comm comm)
{
    int inter = 0;
    float *kept;

    if (type != MPI_FLOAT || op != MPI_SUM || count <= 0 || comm == MPI_COMM_NULL)
        return NULL;
    PMPI_Comm_test_inter(comm, &inter);
    if (inter)
        return NULL;
    kept = new_array(count, sizeof *kept);
    memcpy(kept, sendbuf == MPI_IN_PLACE ? recvbuf : sendbuf, (size_t)count * sizeof *kept);
    return kept;
}

static void check(float *kept, const void *recvbuf, int count, MPI_Comm comm)
{
    compare_values(kept, recvbuf, count, comm);
    compare_bits(recvbuf, count, comm);
    calls_right++;
    free(kept);
}

EXPORTED int MPI_Allreduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
                           MPI_Op op, MPI_Comm comm)
{
    void *symbol = dlsym(RTLD_NEXT, "MPI_Allreduce");
    float *kept = keep(sendbuf, recvbuf, count, type, op, comm);
    allreduce *real;
    int code;

    memcpy(&real, &symbol, sizeof real);
    code = real(sendbuf, recvbuf, count, type, op, comm);
    if (kept && code == MPI_SUCCESS)
        check(kept, recvbuf, count, comm);
    return code;
}

EXPORTED int MPI_Iallreduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
                            MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    void *symbol = dlsym(RTLD_NEXT, "MPI_Iallreduce");
    float *kept = keep(sendbuf, recvbuf, count, type, op, comm);
    iallreduce *real;
    int code;

    memcpy(&real, &symbol, sizeof real);
    code = real(sendbuf, recvbuf, count, type, op, comm, request);
    if (kept && code == MPI_SUCCESS) {
        code = MPI_Wait(request, MPI_STATUS_IGNORE);
        check(kept, recvbuf, count, comm);
    }
    return code;
}

EXPORTED int MPI_Finalize(void)
{
    void *symbol = dlsym(RTLD_NEXT, "MPI_Finalize");
    int (*real)(void), rank;

    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0)
        fprintf(stderr, "check_sums: %ld calls right\n", calls_right);
    memcpy(&real, &symbol, sizeof real);
    return real();
}
