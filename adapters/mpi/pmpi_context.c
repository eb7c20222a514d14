/* SPDX-License-Identifier: Apache-2.0 */
/* Which way a call goes, the context of a communicator, and the reduction in it. */
#include "pmpi.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void say(void *user, optinc_log_level level, const char *message)
{
    (void)user;
    if (level == OPTINC_LOG_ERROR)
        fprintf(stderr, "optinc: %s\n", message);
}

static const optinc_log report_errors = {say, NULL};

/* MPI_REAL is a float in every Fortran that matters here, but its kind can be set by compiler. */
static bool is_float(MPI_Datatype type)
{
    int size;

    if (type == MPI_FLOAT)
        return true;
    if (type == MPI_DATATYPE_NULL)
        return false;
    if (type == MPI_REAL4)
        return true;
    return type == MPI_REAL && PMPI_Type_size(type, &size) == MPI_SUCCESS && size == sizeof(float);
}

/* The design with the fewest ports that are enough. */
static const optinc_design *design_for(int ranks)
{
    const optinc_design *best = NULL;

    for (uint32_t i = 0; i < pmpi.design_count; i++) {
        uint32_t ports = optinc_design_ports(pmpi.designs[i]);

        if (ports >= (uint32_t)ranks && (!best || ports < optinc_design_ports(best)))
            best = pmpi.designs[i];
    }
    return best;
}

static void link_context(pmpi_context *c)
{
    pthread_mutex_lock(&pmpi.lock);
    c->next = pmpi.contexts;
    if (c->next)
        c->next->previous = c;
    pmpi.contexts = c;
    pthread_mutex_unlock(&pmpi.lock);
}

static void unlink_context(pmpi_context *c)
{
    pthread_mutex_lock(&pmpi.lock);
    if (c->previous)
        c->previous->next = c->next;
    else
        pmpi.contexts = c->next;
    if (c->next)
        c->next->previous = c->previous;
    pthread_mutex_unlock(&pmpi.lock);
}

/* The context's own communicator. A call that may wait for the other ranks takes the way that copies
 * no attributes; a nonblocking one may not wait. */
static int make_communicator(pmpi_context *c, MPI_Comm comm, pmpi_kind kind)
{
    pmpi_guard guard;
    MPI_Group group;
    int code;

    if (kind == PMPI_NONBLOCKING)
        return PMPI_Comm_idup(comm, &c->own, &c->own_request);
    c->broken = pmpi_meet(comm);
    if (c->broken != OPTINC_OK)
        return MPI_SUCCESS;
    code = PMPI_Comm_group(comm, &group);
    if (code != MPI_SUCCESS)
        return code;
    pmpi_guard_begin(&guard, "MPI_Comm_create"); /* a rank may stop after it was met */
    code = PMPI_Comm_create(comm, group, &c->own);
    pmpi_guard_end(&guard);
    PMPI_Group_free(&group);
    return code;
}

static pmpi_context *new_context(void)
{
    pmpi_context *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->own = MPI_COMM_NULL;
    c->own_request = MPI_REQUEST_NULL;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    return c;
}

static void attach(pmpi_context *c, MPI_Comm comm)
{
    link_context(c);
    if (PMPI_Comm_set_attr(comm, pmpi.keyval, c) != MPI_SUCCESS)
        c->broken = OPTINC_ERR_TRANSPORT;
}

static pmpi_context *make_context(MPI_Comm comm, const optinc_design *design, pmpi_kind kind)
{
    pmpi_context *c = new_context();

    if (!c)
        return NULL;
    c->design = design;
    if (make_communicator(c, comm, kind) != MPI_SUCCESS)
        c->broken = OPTINC_ERR_TRANSPORT;
    attach(c, comm);
    return c;
}

void pmpi_break(MPI_Comm comm, optinc_status status)
{
    pmpi_context *c = NULL;
    int found = 0;

    if (PMPI_Comm_get_attr(comm, pmpi.keyval, &c, &found) != MPI_SUCCESS || !found) {
        c = new_context();
        if (!c)
            return;
        attach(c, comm);
    }
    c->broken = status;
}

/* One thread at a time calls collectives on a communicator, so nobody else looks for its context. */
static pmpi_context *context_of(MPI_Comm comm, const optinc_design *design, pmpi_kind kind)
{
    pmpi_context *c = NULL;
    int found = 0;

    if (PMPI_Comm_get_attr(comm, pmpi.keyval, &c, &found) == MPI_SUCCESS && found)
        return c;
    return make_context(comm, design, kind);
}

static pmpi_route refuse(pmpi_route route)
{
    if (!pmpi.settings.fail)
        return route;
    fprintf(stderr, "optinc: OPTINC_UNQUALIFIED=fail, and a sum of floats would be %s\n",
            pmpi_route_text(route));
    return PMPI_ROUTE_REFUSED;
}

pmpi_route pmpi_route_call(const void *sendbuf, const void *recvbuf, uint64_t count,
                           MPI_Datatype type, MPI_Op op, MPI_Comm comm, pmpi_kind kind,
                           pmpi_context **context)
{
    int inter = 0, ranks = 0;
    const optinc_design *design;

    /* wrong arguments are MPI's to complain about */
    if (!pmpi.ready || op != MPI_SUM || !is_float(type) || comm == MPI_COMM_NULL || !recvbuf ||
        !sendbuf || sendbuf == recvbuf || count > PTRDIFF_MAX / sizeof(float))
        return PMPI_ROUTE_OTHER;
    if (count == 0 || count * sizeof(float) < pmpi.settings.bytes_min)
        return PMPI_ROUTE_SMALL;
    if (pmpi.design_count == 0)
        return refuse(PMPI_ROUTE_NO_DESIGN);
    if (PMPI_Comm_test_inter(comm, &inter) != MPI_SUCCESS || inter)
        return refuse(PMPI_ROUTE_INTER);
    PMPI_Comm_size(comm, &ranks);
    if (ranks == 1)
        return PMPI_ROUTE_SINGLE;
    if (kind != PMPI_BLOCKING && !(pmpi.threads && pmpi.settings.nonblocking))
        return refuse(PMPI_ROUTE_NO_THREADS);
    design = design_for(ranks);
    if (!design)
        return refuse(PMPI_ROUTE_PORTS);
    *context = context_of(comm, design, kind);
    return *context ? PMPI_ROUTE_SWITCHED : PMPI_ROUTE_FAILED;
}

static optinc_status open_context(pmpi_context *c)
{
    const pmpi_settings *s = &pmpi.settings;
    const optinc_collective_options options = {
        .block_size = (uint32_t)s->block_size,
        .rounding = s->stochastic ? OPTINC_ROUND_STOCHASTIC : OPTINC_ROUND_NEAREST,
        .seed = s->seed,
        .chunk_elements = (size_t)s->chunk_elements,
        .thread_count = (uint32_t)s->thread_count,
    };
    const oi_mpi_transport_options transport_options = {s->timeout_seconds, (size_t)s->piece_bytes};
    optinc_status status;

    if (c->own_request != MPI_REQUEST_NULL) {
        status = pmpi_wait(&c->own_request);
        if (status != OPTINC_OK)
            return status;
    }
    c->kept = calloc(s->check_count + 1, sizeof *c->kept);
    c->exact = calloc(2 * s->check_count + 1, sizeof *c->exact);
    c->has_transport = true;
    status = oi_mpi_transport_open(&c->transport, c->own, &transport_options, &report_errors);
    if (status != OPTINC_OK)
        return status;
    /* without memory here the others must still hear of it: no design is an error on all ranks */
    return optinc_collective_create(&c->transport.interface, c->kept && c->exact ? c->design : NULL,
                                    &options, &report_errors, &c->collective);
}

/* The compared elements are spread over the message, others at every step. */
static size_t checked_index(const pmpi_context *c, size_t count, size_t checks, size_t i)
{
    return (i * (count / checks) + c->step * 7919u) % count;
}

static void note_error(double error, double bound)
{
    pmpi_counts *counts = &pmpi.counts;

    pthread_mutex_lock(&counts->lock);
    counts->error_max = fmax(counts->error_max, error);
    if (bound > 0)
        counts->share_max = fmax(counts->share_max, error / bound);
    pthread_mutex_unlock(&counts->lock);
}

/* A sum that is not finite has no error to speak of, nor one whose terms are so large that adding them
 * in some order leaves the range of a float. */
static bool has_error(double magnitude, double bound)
{
    return magnitude + bound < (1 - 1e-6) * (double)FLT_MAX;
}

/* Compares with sums in double. What rounding to double and float can do beside the bound is a few ulp
 * of the sum. */
static optinc_status compare(pmpi_context *c, const float *output, size_t count, size_t checks,
                             double bound)
{
    double *exact = c->exact, *magnitude = c->exact + checks;
    pmpi_failure failure = {.count = count, .bound = bound};
    MPI_Request request;
    optinc_status status;
    uint64_t compared = 0;
    bool failed = false;

    for (size_t i = 0; i < checks; i++) {
        exact[i] = (double)c->kept[i];
        magnitude[i] = fabs(exact[i]);
    }
    if (PMPI_Iallreduce(MPI_IN_PLACE, exact, 2 * (int)checks, MPI_DOUBLE, MPI_SUM,
                        c->transport.comm, &request) != MPI_SUCCESS)
        return OPTINC_ERR_TRANSPORT;
    status = pmpi_wait(&request);
    if (status != OPTINC_OK)
        return status;
    for (size_t i = 0; i < checks; i++) {
        size_t element = checked_index(c, count, checks, i);
        double result = (double)output[element];
        double error = fabs(result - exact[i]);

        if (!has_error(magnitude[i], bound))
            continue;
        compared++;
        if (isfinite(result))
            note_error(error, bound);
        if (error <= bound + 1e-6 * fabs(exact[i]) || failed)
            continue;
        failed = true;
        failure.element = element;
        failure.expected = exact[i];
        failure.result = result;
    }
    atomic_fetch_add(&pmpi.counts.checked, compared);
    if (!failed)
        return OPTINC_OK;
    pmpi_replay_write(c, &failure);
    return OPTINC_ERR_SELF_CHECK;
}

optinc_status pmpi_reduce(pmpi_context *c, const float *input, float *output, size_t count)
{
    optinc_allreduce_args args = {input, output,  count,           OPTINC_SUM,
                                  NULL,  c->step, OPTINC_TURN_NONE};
    size_t checks = count < pmpi.settings.check_count ? count : (size_t)pmpi.settings.check_count;
    optinc_allreduce_report report = {0};
    optinc_status status;

    if (c->broken == OPTINC_OK && !c->collective)
        c->broken = open_context(c);
    if (c->broken != OPTINC_OK)
        return c->broken;
    for (size_t i = 0; i < checks; i++)
        c->kept[i] = input[checked_index(c, count, checks, i)];
    if (!pmpi_replay_keep(c, input, count)) /* as any wrong argument of one rank: all hear of it */
        args.input = NULL;
    status = optinc_allreduce(c->collective, &args, &report);
    if (status == OPTINC_ERR_TIMEOUT || status == OPTINC_ERR_TRANSPORT)
        c->broken = status;
    if (status == OPTINC_OK && checks > 0)
        status = compare(c, output, count, checks, report.error_bound_max);
    atomic_fetch_add_explicit(&pmpi.counts.bytes_sent, report.bytes_sent, memory_order_relaxed);
    c->step++;
    return status;
}

void pmpi_context_close(pmpi_context *c, bool free_communicator)
{
    pmpi_worker_stop(c);
    unlink_context(c);
    optinc_collective_destroy(&c->collective);
    if (free_communicator && c->has_transport)
        oi_mpi_transport_close(&c->transport);
    else if (free_communicator && c->own != MPI_COMM_NULL && c->own_request == MPI_REQUEST_NULL)
        PMPI_Comm_free(&c->own); /* a persistent reduction's that was never started */
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c->kept);
    free(c->exact);
    free(c->replay_input);
    free(c);
}
