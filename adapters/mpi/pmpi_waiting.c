/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for other ranks no longer than OPTINC_TIMEOUT. */
#include "pmpi.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SPIN_S 5e-5 /* a short sum is done by then, where its ranks have cores */

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static optinc_status wait_until(MPI_Request *request, double end)
{
    double begin = seconds_now(), now;
    MPI_Status status;
    int done = 0;

    for (;;) {
        if (PMPI_Test(request, &done, &status) != MPI_SUCCESS)
            return OPTINC_ERR_TRANSPORT;
        if (done)
            return OPTINC_OK;
        now = seconds_now();
        if (now > end)
            return OPTINC_ERR_TIMEOUT;
        if (now - begin > SPIN_S)
            sched_yield();
    }
}

optinc_status pmpi_wait(MPI_Request *request)
{
    double limit = pmpi.settings.timeout_seconds;
    MPI_Status status;

    if (limit > 0)
        return wait_until(request, seconds_now() + limit);
    return PMPI_Wait(request, &status) == MPI_SUCCESS ? OPTINC_OK : OPTINC_ERR_TRANSPORT;
}

/* An empty message from a rank of the library's copy of MPI_COMM_WORLD. */
static optinc_status hear(int from, int tag, double end)
{
    MPI_Request request;
    optinc_status status;

    if (PMPI_Irecv(NULL, 0, MPI_BYTE, from, tag, pmpi.world, &request) != MPI_SUCCESS)
        return OPTINC_ERR_TRANSPORT;
    status = wait_until(&request, end);
    if (status != OPTINC_OK) {
        PMPI_Cancel(&request);
        PMPI_Request_free(&request);
    }
    return status;
}

static optinc_status tell(int to, int tag, double end)
{
    MPI_Request request;

    if (PMPI_Isend(NULL, 0, MPI_BYTE, to, tag, pmpi.world, &request) != MPI_SUCCESS)
        return OPTINC_ERR_TRANSPORT;
    return wait_until(&request, end);
}

enum { TAG_HERE = 1, TAG_GO };

static optinc_status gather(int rank, const int *members, int size, double end)
{
    optinc_status status = OPTINC_OK;

    if (rank != 0) {
        status = tell(members[0], TAG_HERE, end);
        return status == OPTINC_OK ? hear(members[0], TAG_GO, end) : status;
    }
    for (int i = 1; i < size && status == OPTINC_OK; i++)
        status = hear(members[i], TAG_HERE, end);
    for (int i = 1; i < size && status == OPTINC_OK; i++)
        status = tell(members[i], TAG_GO, end);
    return status;
}

/* The ranks of comm in the library's copy of MPI_COMM_WORLD; false where one is not in it. */
static bool find_members(MPI_Comm comm, int *numbers, int *members, int size)
{
    MPI_Group group, world;
    bool found = false;

    if (PMPI_Comm_group(comm, &group) != MPI_SUCCESS)
        return false;
    if (PMPI_Comm_group(pmpi.world, &world) == MPI_SUCCESS) {
        found = PMPI_Group_translate_ranks(group, size, numbers, world, members) == MPI_SUCCESS;
        PMPI_Group_free(&world);
    }
    PMPI_Group_free(&group);
    for (int i = 0; i < size && found; i++)
        found = members[i] != MPI_UNDEFINED;
    return found;
}

/* Not by a barrier on comm: MPICH's nonblocking barrier takes a nonblocking all-reduce of another rank
 * for one of its own. */
optinc_status pmpi_meet(MPI_Comm comm)
{
    double limit = pmpi.settings.timeout_seconds;
    int *members, rank, size;
    optinc_status status = OPTINC_OK;

    if (!(limit > 0))
        return OPTINC_OK;
    PMPI_Comm_rank(comm, &rank);
    PMPI_Comm_size(comm, &size);
    members = malloc(2 * (size_t)size * sizeof *members);
    if (!members)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (int i = 0; i < size; i++)
        members[size + i] = i;
    if (find_members(comm, members + size, members, size))
        status = gather(rank, members, size, seconds_now() + limit);
    free(members);
    return status;
}

bool pmpi_is_watched(pmpi_route route)
{
    return route == PMPI_ROUTE_SMALL && pmpi.settings.timeout_seconds > 0;
}

int pmpi_pass_watched(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type, MPI_Op op,
                      MPI_Comm comm)
{
    MPI_Request request;
    int code = PMPI_Iallreduce(sendbuf, recvbuf, count, type, op, comm, &request);
    optinc_status status;

    if (code != MPI_SUCCESS)
        return code;
    status = pmpi_wait(&request);
    if (status != OPTINC_OK)
        pmpi_break(comm, status);
    return pmpi_result(comm, status);
}

/* exit would run what MPI has registered, which may wait as well. */
static void *guard(void *argument)
{
    pmpi_guard *g = argument;
    double limit = pmpi.settings.timeout_seconds;
    struct timespec end;
    int code = 0;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)limit + 1;
    pthread_mutex_lock(&g->lock);
    while (!g->returned && code == 0)
        code = pthread_cond_timedwait(&g->changed, &g->lock, &end);
    if (!g->returned) {
        fprintf(stderr, "optinc: a rank was lost and %s still waits for it: this process ends\n",
                g->call);
        _exit(EXIT_FAILURE);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

void pmpi_guard_begin(pmpi_guard *g, const char *call)
{
    pthread_condattr_t attributes;

    *g = (pmpi_guard){.call = call};
    if (!(pmpi.settings.timeout_seconds > 0))
        return;
    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&g->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    g->armed = pthread_create(&g->thread, NULL, guard, g) == 0;
}

void pmpi_guard_end(pmpi_guard *g)
{
    if (!g->armed)
        return;
    pthread_mutex_lock(&g->lock);
    g->returned = true;
    pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->thread, NULL);
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->changed);
}
