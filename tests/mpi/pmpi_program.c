/* SPDX-License-Identifier: Apache-2.0 */
/* A plain MPI program, to be run with the interposition library under it: it knows nothing of OptINC.
 * Its floats are small integers, whose sums a B-bit switch for N ranks gives exactly as long as
 * |x| <= (2^(B-1)-1)/N, so every result must be the integer sum whichever way a call went. */
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 70000
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: rank %d: %s\n", __FILE__, __LINE__, rank, #condition);         \
            MPI_Abort(MPI_COMM_WORLD, 1);                                                          \
        }                                                                                          \
    } while (0)

static int rank, size;

static float value(int r, size_t i)
{
    return (float)((int)((i * 7 + (size_t)r * 3) % 13) - 6);
}

static float sum_of(MPI_Comm comm, size_t i)
{
    int ranks;
    float sum = 0.0f;

    MPI_Comm_size(comm, &ranks);
    for (int r = 0; r < ranks; r++)
        sum += value(r, i);
    return sum;
}

static float *filled(MPI_Comm comm)
{
    float *x = malloc(COUNT * sizeof *x);
    int own;

    MPI_Comm_rank(comm, &own);
    CHECK(x != NULL);
    for (size_t i = 0; i < COUNT; i++)
        x[i] = value(own, i);
    return x;
}

static void check_sum(MPI_Comm comm, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK(x[i] == sum_of(comm, i));
}

static void blocking(MPI_Comm comm)
{
    float *x = filled(comm), *y = malloc(COUNT * sizeof *y);

    CHECK(y != NULL);
    memset(y, 0xff, COUNT * sizeof *y);
    CHECK(MPI_Allreduce(x, y, COUNT, MPI_FLOAT, MPI_SUM, comm) == MPI_SUCCESS);
    check_sum(comm, y, COUNT);
    CHECK(MPI_Allreduce(MPI_IN_PLACE, x, COUNT - 1, MPI_FLOAT, MPI_SUM, comm) == MPI_SUCCESS);
    check_sum(comm, x, COUNT - 1);
#if MPI_VERSION >= 4
    CHECK(MPI_Allreduce_c(MPI_IN_PLACE, y, (MPI_Count)3, MPI_FLOAT, MPI_MAX, comm) == MPI_SUCCESS);
    free(x);
    x = filled(comm);
    CHECK(MPI_Allreduce_c(x, y, (MPI_Count)COUNT, MPI_FLOAT, MPI_SUM, comm) == MPI_SUCCESS);
    check_sum(comm, y, COUNT);
#endif
    free(x);
    free(y);
}

/* What is not a sum of floats, and what is too short, is MPI's own. */
static void others(void)
{
    double d[3] = {1.0, 2.0, (double)rank};
    float f[4] = {1.0f, 2.0f, 3.0f, (float)rank}, g[4];
    MPI_Datatype pair;

    CHECK(MPI_Allreduce(MPI_IN_PLACE, d, 3, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS);
    CHECK(d[0] == size && d[2] == size * (size - 1) / 2.0);
    CHECK(MPI_Allreduce(f, g, 4, MPI_FLOAT, MPI_MAX, MPI_COMM_WORLD) == MPI_SUCCESS);
    CHECK(g[3] == (float)(size - 1));
    CHECK(MPI_Allreduce(f, g, 0, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS);
    CHECK(MPI_Allreduce(f, g, 4, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS);
    CHECK(g[2] == 3.0f * (float)size);
    MPI_Type_contiguous(2, MPI_FLOAT, &pair);
    MPI_Type_commit(&pair);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    /* no predefined operation takes a derived type: MPI says so, with us or without */
    CHECK(MPI_Allreduce(f, g, 2, pair, MPI_SUM, MPI_COMM_WORLD) != MPI_SUCCESS);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Type_free(&pair);
}

static void communicators(void)
{
    MPI_Comm half, copy, inter, part;
    float *x;
    int ranks;

    for (int turn = 0; turn < 3; turn++) { /* they come and go */
        MPI_Comm_split(MPI_COMM_WORLD, rank % 2, size - rank, &half);
        blocking(half);
        MPI_Comm_dup(half, &copy);
        blocking(copy);
        MPI_Comm_free(&copy);
        blocking(half);
        MPI_Comm_free(&half);
        /* of other sizes: all but the last rank */
        MPI_Comm_split(MPI_COMM_WORLD, rank == size - 1 ? MPI_UNDEFINED : 0, rank, &part);
        if (part != MPI_COMM_NULL) {
            blocking(part);
            MPI_Comm_free(&part);
        }
    }
    blocking(MPI_COMM_SELF);
    if (size < 2)
        return;
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
    MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 1 - rank % 2, 5, &inter);
    MPI_Comm_remote_size(inter, &ranks);
    x = filled(half);
    {
        float *y = malloc(COUNT * sizeof *y);

        CHECK(y != NULL);
        CHECK(MPI_Allreduce(x, y, COUNT, MPI_FLOAT, MPI_SUM, inter) == MPI_SUCCESS);
        for (size_t i = 0; i < COUNT; i++) {
            float sum = 0.0f;

            for (int r = 0; r < ranks; r++)
                sum += value(r, i);
            CHECK(y[i] == sum);
        }
        free(y);
    }
    free(x);
    MPI_Comm_free(&inter);
    MPI_Comm_free(&half);
}

/* Several at once on one communicator, and on two in another order on every other rank. */
static void nonblocking(void)
{
    enum { MANY = 5 };
    MPI_Request requests[MANY];
    MPI_Status status, statuses[2];
    MPI_Comm first, second;
    float *x = filled(MPI_COMM_WORLD), *y[MANY];
    int index, flag = 0;

    for (int i = 0; i < MANY; i++) {
        y[i] = filled(MPI_COMM_WORLD);
        CHECK(MPI_Iallreduce(i % 2 ? MPI_IN_PLACE : x, y[i], COUNT - i, MPI_FLOAT, MPI_SUM,
                             MPI_COMM_WORLD, &requests[i]) == MPI_SUCCESS);
    }
    /* a blocking one behind them, on the same communicator */
    blocking(MPI_COMM_WORLD);
    CHECK(MPI_Waitany(MANY, requests, &index, &status) == MPI_SUCCESS);
    CHECK(index >= 0 && requests[index] == MPI_REQUEST_NULL);
    check_sum(MPI_COMM_WORLD, y[index], COUNT - (size_t)index);
    for (int i = 0; i < MANY; i++)
        for (flag = 0; !flag && requests[i] != MPI_REQUEST_NULL;)
            CHECK(MPI_Test(&requests[i], &flag, &status) == MPI_SUCCESS);
    for (int i = 0; i < MANY; i++)
        check_sum(MPI_COMM_WORLD, y[i], COUNT - (size_t)i);

    MPI_Comm_dup(MPI_COMM_WORLD, &first);
    MPI_Comm_dup(MPI_COMM_WORLD, &second);
    for (int i = 0; i < COUNT; i++)
        y[0][i] = y[1][i] = -1.0f;
    for (int turn = 0; turn < 2; turn++) {
        int which = (turn + rank) % 2;

        CHECK(MPI_Iallreduce(x, y[which], COUNT, MPI_FLOAT, MPI_SUM, which ? second : first,
                             &requests[which]) == MPI_SUCCESS);
    }
    CHECK(MPI_Waitall(2, requests, statuses) == MPI_SUCCESS);
    check_sum(MPI_COMM_WORLD, y[0], COUNT);
    check_sum(MPI_COMM_WORLD, y[1], COUNT);
    MPI_Comm_free(&first);
    MPI_Comm_free(&second);
    for (int i = 0; i < MANY; i++)
        free(y[i]);
    free(x);
}

/* Rank 0 waits for a message that the others send only when the reduction is complete, which it must
 * become without any call of rank 0 that has to do with it. The communicator is new, so that this
 * includes what the library does at a first call. */
static void progresses_alone(void)
{
    float *x = filled(MPI_COMM_WORLD), *y = malloc(COUNT * sizeof *y), token = 0.0f;
    MPI_Request request;
    MPI_Status status;
    MPI_Comm comm;

    CHECK(y != NULL);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    if (rank == size - 1 && size > 1) /* starting must not wait for others either */
        MPI_Recv(&token, 1, MPI_FLOAT, 0, 1, MPI_COMM_WORLD, &status);
    CHECK(MPI_Iallreduce(x, y, COUNT, MPI_FLOAT, MPI_SUM, comm, &request) == MPI_SUCCESS);
    if (rank == 0) {
        if (size > 1)
            MPI_Send(&token, 1, MPI_FLOAT, size - 1, 1, MPI_COMM_WORLD);
        for (int r = 1; r < size; r++)
            MPI_Recv(&token, 1, MPI_FLOAT, r, 2, MPI_COMM_WORLD, &status);
    }
    CHECK(MPI_Wait(&request, &status) == MPI_SUCCESS);
    if (rank != 0)
        MPI_Send(&token, 1, MPI_FLOAT, 0, 2, MPI_COMM_WORLD);
    check_sum(MPI_COMM_WORLD, y, COUNT);
    MPI_Comm_free(&comm);
    free(x);
    free(y);
}

#if MPI_VERSION >= 4
static int copies, deletions;

static int copy_attribute(MPI_Comm comm, int keyval, void *extra, void *in, void *out, int *flag)
{
    (void)comm;
    (void)keyval;
    (void)extra;
    *(void **)out = in;
    *flag = 1;
    copies++;
    return MPI_SUCCESS;
}

static int delete_attribute(MPI_Comm comm, int keyval, void *attribute, void *extra)
{
    (void)comm;
    (void)keyval;
    (void)attribute;
    (void)extra;
    deletions++;
    return MPI_SUCCESS;
}

/* Nothing is left of a communicator whose persistent reduction was never started, and none of its
 * attributes has been copied. */
static void never_started(void)
{
    float *x = filled(MPI_COMM_WORLD);
    MPI_Request request;
    MPI_Comm comm;
    int keyval;

    MPI_Comm_create_keyval(copy_attribute, delete_attribute, &keyval, NULL);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_set_attr(comm, keyval, &keyval);
    CHECK(MPI_Allreduce_init(MPI_IN_PLACE, x, COUNT, MPI_FLOAT, MPI_SUM, comm, MPI_INFO_NULL,
                             &request) == MPI_SUCCESS);
    CHECK(MPI_Request_free(&request) == MPI_SUCCESS);
    CHECK(MPI_Comm_free(&comm) == MPI_SUCCESS);
    CHECK(copies == 0 && deletions == 1);
    MPI_Comm_free_keyval(&keyval);
    free(x);
}

static void persistent(void)
{
    float *x = filled(MPI_COMM_WORLD), *y = malloc(COUNT * sizeof *y);
    MPI_Request request, other[2];
    MPI_Status statuses[2];
    float token = 1.0f, received = 0.0f;

    CHECK(y != NULL);
    CHECK(MPI_Allreduce_init(x, y, COUNT, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, MPI_INFO_NULL,
                             &request) == MPI_SUCCESS);
    for (int turn = 0; turn < 3; turn++) {
        memset(y, 0xff, COUNT * sizeof *y);
        CHECK(MPI_Start(&request) == MPI_SUCCESS);
        if (turn == 0) {
            CHECK(MPI_Wait(&request, &statuses[0]) == MPI_SUCCESS);
        } else {
            other[0] = request;
            MPI_Irecv(&received, 1, MPI_FLOAT, rank, 9, MPI_COMM_WORLD, &other[1]);
            MPI_Send(&token, 1, MPI_FLOAT, rank, 9, MPI_COMM_WORLD);
            CHECK(MPI_Waitall(2, other, statuses) == MPI_SUCCESS);
            CHECK(other[0] == request && other[1] == MPI_REQUEST_NULL);
        }
        CHECK(request != MPI_REQUEST_NULL);
        check_sum(MPI_COMM_WORLD, y, COUNT);
    }
    /* inactive: waiting for it returns at once */
    CHECK(MPI_Wait(&request, &statuses[0]) == MPI_SUCCESS);
    CHECK(MPI_Request_free(&request) == MPI_SUCCESS);
    CHECK(request == MPI_REQUEST_NULL);
    free(x);
    free(y);
}
#endif

static void *thread_main(void *argument)
{
    for (int turn = 0; turn < 5; turn++)
        blocking(*(MPI_Comm *)argument);
    return NULL;
}

/* Two threads, each with a communicator of its own that is new to the library. */
static void threads(void)
{
    MPI_Comm comms[2];
    pthread_t thread;

    MPI_Comm_dup(MPI_COMM_WORLD, &comms[0]);
    MPI_Comm_dup(MPI_COMM_WORLD, &comms[1]);
    CHECK(pthread_create(&thread, NULL, thread_main, &comms[rank % 2]) == 0);
    thread_main(&comms[1 - rank % 2]);
    pthread_join(thread, NULL);
    MPI_Comm_free(&comms[0]);
    MPI_Comm_free(&comms[1]);
}

int main(int argc, char **argv)
{
    int provided;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    blocking(MPI_COMM_WORLD);
    others();
    communicators();
    nonblocking();
    progresses_alone();
#if MPI_VERSION >= 4
    persistent();
    never_started();
#endif
    if (provided == MPI_THREAD_MULTIPLE)
        threads();
    blocking(MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks passed\n", size);
    MPI_Finalize();
    return 0;
}
