/* SPDX-License-Identifier: Apache-2.0 */
/* What all-reduce and reduce-scatter share. */
#include "collective/agreement.h"
#include "collective/state.h"

#include "base/log.h"

#include <math.h>

/* A socket's buffers feed a link for longer than this; a call of the transport may cost a turn on a
 * core that is shared. */
#define PROGRESS_INTERVAL_S 2.5e-4

oi_lane *oi_lane_of(oi_run *run, size_t chunk)
{
    return &run->collective->lanes[chunk % OI_LANES];
}

uint32_t oi_slot_of(size_t chunk)
{
    return (uint32_t)(chunk % OI_LANES);
}

oi_lane *oi_open_lane(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = oi_lane_of(run, chunk);

    lane->exponents = lane->packet;
    lane->codes = c->codes[chunk % OI_CODES];
    lane->received = c->received[chunk % OI_RECEIVED];
    lane->reduced = c->reduced[chunk % OI_REDUCED];
    return lane;
}

optinc_status oi_send_exponents(oi_run *run, size_t chunk, size_t size)
{
    optinc_collective *c = run->collective;
    optinc_status status;

    run->report.bytes_sent += oi_max_bytes(c, size);
    status = oi_start_max(c, oi_slot_of(chunk), oi_lane_of(run, chunk)->packet, size);
    oi_charge(run, &run->report.seconds_exchange);
    return status;
}

optinc_status oi_send_codes(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = oi_lane_of(run, chunk);
    optinc_status status;

    run->report.bytes_sent += (uint64_t)(c->transport.size - 1) * lane->share_size;
    status = oi_start_alltoall(c, oi_slot_of(chunk), lane->codes, lane->received, lane->share_size);
    oi_charge(run, &run->report.seconds_exchange);
    return status;
}

optinc_status oi_await(oi_run *run, size_t chunk)
{
    optinc_status status = oi_wait(run->collective, oi_slot_of(chunk));

    oi_charge(run, &run->report.seconds_exchange);
    return status;
}

void oi_note_fault(oi_run *run, optinc_status status)
{
    if (status != OPTINC_OK && run->fault == OPTINC_OK)
        run->fault = oi_fail(&run->collective->log, status, "a chunk failed on rank %u: %s",
                             run->collective->transport.rank, optinc_status_text(status));
}

void oi_charge(oi_run *run, double *part)
{
    double now = oi_seconds();

    *part += now - run->charged;
    run->charged = now;
}

void oi_run_progress(oi_run *run, double *part)
{
    oi_charge(run, part);
    if (run->charged - run->progressed < PROGRESS_INTERVAL_S)
        return;
    oi_progress(run->collective);
    oi_charge(run, &run->report.seconds_exchange);
    run->progressed = run->charged;
}

uint64_t oi_max_bytes(const optinc_collective *c, size_t size)
{
    uint64_t ranks = c->transport.size;

    return 2 * (ranks - 1) * size / ranks; /* what a ring all-reduce of them sends */
}

void oi_note_exponents(oi_run *run, const uint8_t *exponents, size_t blocks)
{
    run->report.blocks += blocks;
    for (size_t i = 0; i < blocks; i++)
        if (exponents[i] != OPTINC_EXPONENT_NON_FINITE && exponents[i] > run->exponent_max)
            run->exponent_max = exponents[i];
}

/* Names what is dark; the rank's fault is noted by the caller. */
static void name_dark(const oi_run *run, optinc_status status)
{
    const optinc_collective *c = run->collective;
    optinc_place input;

    if (status == OPTINC_ERR_DARK && run->fault == OPTINC_OK &&
        optinc_switch_dark_at(c->sw, &input))
        oi_log(&c->log, OPTINC_LOG_ERROR, "input %u of level %u is dark", input.index, input.level);
}

void oi_switch_share(oi_run *run, oi_lane *lane, uint64_t element, size_t count)
{
    optinc_collective *c = run->collective;

    for (size_t first = 0; first < count; first += c->piece_elements) {
        size_t rest = count - first;
        size_t offset = optinc_symbols_size(c->codec.bits, first);
        const optinc_stream stream = {c->seed, run->args->step, element + first};

        optinc_status status = optinc_switch_reduce(
            c->sw, lane->received + offset, lane->share_size, c->transport.size,
            rest < c->piece_elements ? rest : c->piece_elements, &stream, lane->reduced + offset);

        name_dark(run, status);
        oi_note_fault(run, status);
        oi_run_progress(run, &run->report.seconds_switch);
    }
}

/* A backend from outside may fail on one rank alone: then all ranks return its status. */
static optinc_status confirm(oi_run *run)
{
    optinc_collective *c = run->collective;
    uint8_t *packet = c->packet;
    optinc_status status;

    oi_agreement_write(NULL, 0, run->fault, packet);
    run->report.bytes_sent += oi_max_bytes(c, OI_AGREEMENT_SIZE(0));
    status = oi_start_max(c, OI_SLOT_CONFIRM, packet, OI_AGREEMENT_SIZE(0));
    if (status == OPTINC_OK)
        status = oi_wait(c, OI_SLOT_CONFIRM);
    if (status == OPTINC_OK)
        status = oi_agreement_read(NULL, 0, packet, &c->log);
    return status;
}

/* The largest bound of the blocks that have been noted. Dark ports move the mean by up to bias_max
 * steps of 2^e. */
static double largest_bound(const oi_run *run)
{
    const optinc_collective *c = run->collective;
    const optinc_result_scale scale = {run->args->op, c->ports, c->servers};
    int exponent = run->exponent_max - 1 + optinc_exponent_min(c->codec.bits);
    double bias = ldexp(c->bias_max, exponent);

    if (run->args->op == OPTINC_SUM)
        bias *= c->servers;
    return bias + optinc_error_bound(&c->codec, c->switch_stochastic, &scale, run->exponent_max);
}

optinc_status oi_run_end(oi_run *run, optinc_status status, optinc_allreduce_report *report)
{
    if (status == OPTINC_OK && run->collective->confirm)
        status = confirm(run);
    if (status == OPTINC_OK)
        status = run->fault;
    if (status == OPTINC_OK && run->exponent_max != OPTINC_EXPONENT_ZERO)
        run->report.error_bound_max = largest_bound(run);
    if (report)
        *report = run->report;
    return status;
}
