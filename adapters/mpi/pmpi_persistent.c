/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent reductions (MPI 4). The program holds MPI's own persistent request, which is never
 * started: it is the name of a record here. Starting it starts a nonblocking reduction, and wherever
 * the program waits or tests, that one's request takes its place for the length of the call. As long
 * as there is no record, all of this costs one look at a counter. */
#include "pmpi.h"

#include <stdlib.h>

#if MPI_VERSION >= 4

#define EXPORTED __attribute__((visibility("default")))
#define FEW 32 /* requests that need no memory of their own */

typedef struct record {
    struct record *next;
    MPI_Request name;
    MPI_Request active; /* MPI_REQUEST_NULL between uses */
    pmpi_context *context;
    const float *input;
    float *output;
    size_t count;
} record;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static record *records;
static atomic_uint record_count;

static record *find(MPI_Request request)
{
    record *r = NULL;

    if (atomic_load_explicit(&record_count, memory_order_acquire) == 0 ||
        request == MPI_REQUEST_NULL)
        return NULL;
    pthread_mutex_lock(&lock);
    for (r = records; r && r->name != request; r = r->next)
        ;
    pthread_mutex_unlock(&lock);
    return r;
}

static void add(record *r)
{
    pthread_mutex_lock(&lock);
    r->next = records;
    records = r;
    atomic_fetch_add(&record_count, 1);
    pthread_mutex_unlock(&lock);
}

static void drop(record *r)
{
    pthread_mutex_lock(&lock);
    for (record **link = &records; *link; link = &(*link)->next) {
        if (*link == r) {
            *link = r->next;
            break;
        }
    }
    atomic_fetch_sub(&record_count, 1);
    pthread_mutex_unlock(&lock);
    free(r);
}

static int make_record(pmpi_context *context, const void *sendbuf, void *recvbuf, uint64_t count,
                       MPI_Request request)
{
    record *r = malloc(sizeof *r);

    if (!r)
        return MPI_ERR_NO_MEM;
    *r = (record){
        .name = request,
        .active = MPI_REQUEST_NULL,
        .context = context,
        .input = sendbuf == MPI_IN_PLACE ? recvbuf : sendbuf,
        .output = recvbuf,
        .count = (size_t)count,
    };
    add(r);
    return MPI_SUCCESS;
}

static int init(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype type, MPI_Op op,
                MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    uint64_t elements = count > 0 ? (uint64_t)count : 0;
    pmpi_context *context = NULL;
    pmpi_route route =
        pmpi_route_call(sendbuf, recvbuf, elements, type, op, comm, PMPI_PERSISTENT, &context);
    int code;

    if (route != PMPI_ROUTE_SWITCHED && pmpi_ends_here(route, elements, comm, &code))
        return code;
    code = PMPI_Allreduce_init_c(sendbuf, recvbuf, count, type, op, comm, info, request);
    if (code == MPI_SUCCESS && route == PMPI_ROUTE_SWITCHED)
        code = make_record(context, sendbuf, recvbuf, elements, *request);
    return code;
}

EXPORTED int MPI_Allreduce_init(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
                                MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return init(sendbuf, recvbuf, count, type, op, comm, info, request);
}

EXPORTED int MPI_Allreduce_init_c(const void *sendbuf, void *recvbuf, MPI_Count count,
                                  MPI_Datatype type, MPI_Op op, MPI_Comm comm, MPI_Info info,
                                  MPI_Request *request)
{
    return init(sendbuf, recvbuf, count, type, op, comm, info, request);
}

EXPORTED int MPI_Start(MPI_Request *request)
{
    record *r = find(*request);

    if (!r)
        return PMPI_Start(request);
    if (r->active != MPI_REQUEST_NULL)
        return MPI_ERR_REQUEST;
    return pmpi_start(r->context, r->input, r->output, r->count, &r->active);
}

EXPORTED int MPI_Startall(int count, MPI_Request requests[])
{
    int code = MPI_SUCCESS;

    if (atomic_load_explicit(&record_count, memory_order_acquire) == 0)
        return PMPI_Startall(count, requests);
    for (int i = 0; i < count && code == MPI_SUCCESS; i++)
        code = MPI_Start(&requests[i]);
    return code;
}

EXPORTED int MPI_Request_free(MPI_Request *request)
{
    record *r = find(*request);

    if (r) {
        if (r->active != MPI_REQUEST_NULL)
            PMPI_Request_free(&r->active);
        drop(r);
    }
    return PMPI_Request_free(request);
}

/* The program's requests with the active ones in the place of their names. */
typedef struct stand_ins {
    MPI_Request few[FEW];
    MPI_Request *requests;
} stand_ins;

/* False where the program's own array will do, or memory is out. */
static bool stand_in(stand_ins *s, int count, const MPI_Request *requests)
{
    bool any = false;

    if (atomic_load_explicit(&record_count, memory_order_acquire) == 0 || count <= 0)
        return false;
    for (int i = 0; i < count && !any; i++)
        any = find(requests[i]) != NULL;
    if (!any)
        return false;
    s->requests = count <= FEW ? s->few : malloc((size_t)count * sizeof *s->requests);
    if (!s->requests)
        return false;
    for (int i = 0; i < count; i++) {
        const record *r = find(requests[i]);

        s->requests[i] = r ? r->active : requests[i];
    }
    return true;
}

static void stand_down(stand_ins *s, int count, MPI_Request *requests)
{
    for (int i = 0; i < count; i++) {
        record *r = find(requests[i]);

        if (r)
            r->active = s->requests[i];
        else
            requests[i] = s->requests[i];
    }
    if (s->requests != s->few)
        free(s->requests);
}

/* Each of MPI's ways to wait and test, with stand-ins if need be. */
#define WITH_STAND_INS(count, requests, call, call_standing_in)                                    \
    do {                                                                                           \
        stand_ins s;                                                                               \
        int code;                                                                                  \
        if (!stand_in(&s, count, requests))                                                        \
            return call;                                                                           \
        code = call_standing_in;                                                                   \
        stand_down(&s, count, requests);                                                           \
        return code;                                                                               \
    } while (0)

EXPORTED int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
    WITH_STAND_INS(1, request, PMPI_Wait(request, status), PMPI_Wait(s.requests, status));
}

EXPORTED int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
    WITH_STAND_INS(1, request, PMPI_Test(request, flag, status),
                   PMPI_Test(s.requests, flag, status));
}

EXPORTED int MPI_Request_get_status(MPI_Request request, int *flag, MPI_Status *status)
{
    const record *r = find(request);

    return PMPI_Request_get_status(r ? r->active : request, flag, status);
}

EXPORTED int MPI_Waitall(int count, MPI_Request requests[], MPI_Status *statuses)
{
    WITH_STAND_INS(count, requests, PMPI_Waitall(count, requests, statuses),
                   PMPI_Waitall(count, s.requests, statuses));
}

EXPORTED int MPI_Testall(int count, MPI_Request requests[], int *flag, MPI_Status *statuses)
{
    WITH_STAND_INS(count, requests, PMPI_Testall(count, requests, flag, statuses),
                   PMPI_Testall(count, s.requests, flag, statuses));
}

EXPORTED int MPI_Waitany(int count, MPI_Request requests[], int *index, MPI_Status *status)
{
    WITH_STAND_INS(count, requests, PMPI_Waitany(count, requests, index, status),
                   PMPI_Waitany(count, s.requests, index, status));
}

EXPORTED int MPI_Testany(int count, MPI_Request requests[], int *index, int *flag,
                         MPI_Status *status)
{
    WITH_STAND_INS(count, requests, PMPI_Testany(count, requests, index, flag, status),
                   PMPI_Testany(count, s.requests, index, flag, status));
}

EXPORTED int MPI_Waitsome(int count, MPI_Request requests[], int *done, int indices[],
                          MPI_Status *statuses)
{
    WITH_STAND_INS(count, requests, PMPI_Waitsome(count, requests, done, indices, statuses),
                   PMPI_Waitsome(count, s.requests, done, indices, statuses));
}

EXPORTED int MPI_Testsome(int count, MPI_Request requests[], int *done, int indices[],
                          MPI_Status *statuses)
{
    WITH_STAND_INS(count, requests, PMPI_Testsome(count, requests, done, indices, statuses),
                   PMPI_Testsome(count, s.requests, done, indices, statuses));
}

#endif
