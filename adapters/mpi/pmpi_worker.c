/* SPDX-License-Identifier: Apache-2.0 */
/* Nonblocking reductions: a thread per context takes them in their order; the program holds a
 * generalised request. Contexts have threads of their own because ranks may start reductions on
 * different communicators in different orders. */
#include "pmpi.h"

#include <stdlib.h>

static int job_code(const pmpi_job *job)
{
    return job->status == OPTINC_OK ? MPI_SUCCESS : MPI_ERR_OTHER;
}

static int query_job(void *state, MPI_Status *status)
{
    const pmpi_job *job = state;

    PMPI_Status_set_elements(status, MPI_FLOAT, (int)(job->count <= INT32_MAX ? job->count : 0));
    PMPI_Status_set_cancelled(status, 0);
    return job_code(job);
}

static int free_job(void *state)
{
    free(state);
    return MPI_SUCCESS;
}

static int cancel_job(void *state, int complete)
{
    (void)state;
    (void)complete;
    return MPI_SUCCESS; /* a collective cannot be cancelled; it completes */
}

static pmpi_job *next_job(pmpi_context *c)
{
    pmpi_job *job;

    pthread_mutex_lock(&c->lock);
    while (!c->first && !c->stop)
        pthread_cond_wait(&c->changed, &c->lock);
    job = c->first;
    if (job) {
        c->first = job->next;
        if (!c->first)
            c->last = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    return job;
}

static void *work(void *argument)
{
    pmpi_context *c = argument;

    for (pmpi_job *job = next_job(c); job; job = next_job(c)) {
        MPI_Request request = job->request;

        job->status = pmpi_reduce(c, job->input, job->output, job->count);
        pmpi_count(job->status == OPTINC_OK ? PMPI_ROUTE_SWITCHED_NONBLOCKING : PMPI_ROUTE_FAILED,
                   job->count);
        pthread_mutex_lock(&c->lock);
        atomic_fetch_sub(&c->pending, 1);
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
        PMPI_Grequest_complete(request); /* the job is gone from here on */
    }
    return NULL;
}

static bool ensure_worker(pmpi_context *c)
{
    if (!c->has_worker)
        c->has_worker = pthread_create(&c->worker, NULL, work, c) == 0;
    return c->has_worker;
}

int pmpi_start(pmpi_context *c, const float *input, float *output, size_t count,
               MPI_Request *request)
{
    pmpi_job *job = malloc(sizeof *job);
    int code;

    if (!job || !ensure_worker(c)) {
        free(job);
        return MPI_ERR_NO_MEM;
    }
    *job = (pmpi_job){.input = input, .output = output, .count = count};
    code = PMPI_Grequest_start(query_job, free_job, cancel_job, job, request);
    if (code != MPI_SUCCESS) {
        free(job);
        return code;
    }
    job->request = *request;
    pthread_mutex_lock(&c->lock);
    if (c->last)
        c->last->next = job;
    else
        c->first = job;
    c->last = job;
    atomic_fetch_add(&c->pending, 1);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return MPI_SUCCESS;
}

optinc_status pmpi_reduce_in_turn(pmpi_context *c, const float *input, float *output, size_t count)
{
    if (atomic_load(&c->pending) > 0) {
        pthread_mutex_lock(&c->lock);
        while (atomic_load(&c->pending) > 0)
            pthread_cond_wait(&c->changed, &c->lock);
        pthread_mutex_unlock(&c->lock);
    }
    return pmpi_reduce(c, input, output, count);
}

void pmpi_worker_stop(pmpi_context *c)
{
    if (!c->has_worker)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->worker, NULL);
    c->has_worker = false;
}
