/* SPDX-License-Identifier: Apache-2.0 */
/* The reduce-scatter: an all-reduce whose results stay where they were made. The message is K parts,
 * one a rank, and a chunk is the same range of all of them, so that what a rank reduces of a chunk is
 * its own part's:
 *
 *   agree     exponents of the range's blocks in every part  -> MAX all-reduce
 *   send      codes with the agreed exponents                -> alltoall
 *   finish    this rank is the switch for its part; results to floats
 *
 * In step t chunk t is agreed, t-2 sent and t-4 finished. */
#include "collective/agreement.h"
#include "collective/state.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

/* Tells the ranks' call from an all-reduce with the same numbers. */
#define OPERATION_SCATTERED 0x100u

/* run->args is the call as an all-reduce of K parts: its count is that of all. */
static size_t part_elements(const oi_run *run)
{
    return run->args->count / run->collective->transport.size;
}

/* The number of a part's first element, which keys the roundings: parts begin at multiples of 4, as the
 * switch wants it. */
static uint64_t part_first(const oi_run *run, uint32_t part)
{
    return part * (uint64_t)oi_round_up(part_elements(run), 4);
}

static size_t chunk_blocks(const oi_run *run, const oi_lane *lane)
{
    return optinc_block_count(run->collective->codec.block_size, lane->count);
}

/* Whole blocks of a part; all parts together make a chunk of the usual size, or K blocks. */
static void cut_parts(oi_run *run)
{
    const optinc_collective *c = run->collective;
    size_t block_size = c->codec.block_size, part = part_elements(run);
    size_t elements =
        oi_chunk_elements(c, run->args->count) / c->transport.size / block_size * block_size;

    if (elements == 0)
        elements = block_size;
    if (elements > part)
        elements = oi_round_up(part, block_size);
    run->chunk_elements = elements;
    run->chunk_count = part ? (part - 1) / elements + 1 : 0;
}

static oi_lane *place_range(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = oi_open_lane(run, chunk);
    size_t rest;

    lane->first = chunk * run->chunk_elements;
    rest = part_elements(run) - lane->first;
    lane->count = rest < run->chunk_elements ? rest : run->chunk_elements;
    lane->share = oi_round_up(lane->count, 4);
    lane->share_size = optinc_symbols_size(c->codec.bits, lane->share);
    return lane;
}

static const float *range_of_part(const oi_run *run, const oi_lane *lane, uint32_t part)
{
    return run->args->input + part * part_elements(run) + lane->first;
}

static optinc_status agree_range(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = place_range(run, chunk);
    size_t blocks = chunk_blocks(run, lane);

    for (uint32_t part = 0; part < c->transport.size; part++) {
        uint8_t *exponents = lane->exponents + part * blocks;

        if (c->is_gone)
            memset(exponents, OPTINC_EXPONENT_ZERO, blocks);
        else
            oi_note_fault(run, optinc_codec_exponents(&c->codec, range_of_part(run, lane, part),
                                                      lane->count, exponents));
        oi_run_progress(run, &run->report.seconds_quantise);
    }
    oi_charge(run, &run->report.seconds_quantise);
    return oi_send_exponents(run, chunk, blocks * c->transport.size);
}

static void quantise_part(oi_run *run, oi_lane *lane, uint32_t part)
{
    optinc_collective *c = run->collective;
    const uint8_t *exponents = lane->exponents + part * chunk_blocks(run, lane);
    uint8_t *codes = lane->codes + part * lane->share_size;
    uint64_t element = part_first(run, part) + lane->first;

    for (size_t first = 0; first < lane->count; first += c->piece_elements) {
        size_t rest = lane->count - first;
        const optinc_stream stream = {c->rank_seed, run->args->step, element + first};

        oi_note_fault(run,
                      optinc_codec_quantise(&c->codec, range_of_part(run, lane, part) + first,
                                            rest < c->piece_elements ? rest : c->piece_elements,
                                            exponents + first / c->codec.block_size, &stream,
                                            codes + optinc_symbols_size(c->codec.bits, first)));
        oi_run_progress(run, &run->report.seconds_quantise);
    }
}

static optinc_status send_range(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = oi_lane_of(run, chunk);
    optinc_status status = oi_await(run, chunk);

    if (status != OPTINC_OK)
        return status;
    oi_note_exponents(run, lane->exponents, chunk_blocks(run, lane) * c->transport.size);
    for (uint32_t part = 0; part < c->transport.size && !c->is_gone; part++)
        quantise_part(run, lane, part);
    oi_charge(run, &run->report.seconds_quantise);
    return oi_send_codes(run, chunk);
}

/* Block `block` of every part in float, as far as it is marked in the part; a K-th of it at a time,
 * which is what the buffers hold. Parts whose block is not marked send zeros that nobody uses. */
static optinc_status reduce_float_block(oi_run *run, oi_lane *lane, size_t chunk, size_t block)
{
    optinc_collective *c = run->collective;
    uint32_t ranks = c->transport.size;
    size_t blocks = chunk_blocks(run, lane), begin = block * c->codec.block_size;
    size_t end =
        lane->count - begin < c->codec.block_size ? lane->count : begin + c->codec.block_size;
    size_t share = c->float_elements / ranks;
    float *output = run->args->output + lane->first;

    for (size_t first = begin; first < end; first += share) {
        size_t count = end - first < share ? end - first : share;
        optinc_status status;

        memset(c->float_values, 0, ranks * count * sizeof *c->float_values);
        for (uint32_t part = 0; part < ranks; part++)
            if (lane->exponents[part * blocks + block] == OPTINC_EXPONENT_NON_FINITE)
                memcpy(c->float_values + part * count, range_of_part(run, lane, part) + first,
                       count * sizeof *c->float_values);
        status = oi_start_alltoall(c, oi_slot_of(chunk), c->float_values, c->float_received,
                                   count * sizeof *c->float_values);
        if (status == OPTINC_OK)
            status = oi_wait(c, oi_slot_of(chunk));
        if (status != OPTINC_OK)
            return status;
        run->report.bytes_sent += (uint64_t)(ranks - 1) * count * sizeof *c->float_values;
        if (lane->exponents[c->transport.rank * blocks + block] != OPTINC_EXPONENT_NON_FINITE)
            continue;
        oi_sum_in_rank_order(run, c->float_received, count, c->float_sum);
        memcpy(output + first, c->float_sum, count * sizeof *output);
    }
    return OPTINC_OK;
}

static optinc_status reduce_float_blocks(oi_run *run, oi_lane *lane, size_t chunk)
{
    uint32_t ranks = run->collective->transport.size;
    size_t blocks = chunk_blocks(run, lane);
    optinc_status status = OPTINC_OK;

    if (!memchr(lane->exponents, OPTINC_EXPONENT_NON_FINITE, blocks * ranks))
        return OPTINC_OK;
    for (size_t block = 0; block < blocks && status == OPTINC_OK; block++) {
        uint64_t marked = 0;

        for (uint32_t part = 0; part < ranks; part++)
            marked += lane->exponents[part * blocks + block] == OPTINC_EXPONENT_NON_FINITE;
        run->report.blocks_non_finite += marked;
        if (marked > 0)
            status = reduce_float_block(run, lane, chunk, block);
    }
    return status;
}

static optinc_status finish_range(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    const optinc_result_scale scale = {run->args->op, c->ports, c->servers};
    oi_lane *lane = oi_lane_of(run, chunk);
    size_t rank = c->transport.rank;
    optinc_status status = oi_await(run, chunk);

    if (status != OPTINC_OK)
        return status;
    oi_switch_share(run, lane, part_first(run, (uint32_t)rank) + lane->first, lane->count);
    oi_charge(run, &run->report.seconds_switch);
    oi_note_fault(run, optinc_codec_dequantise(&c->codec, lane->reduced, lane->count,
                                               lane->exponents + rank * chunk_blocks(run, lane),
                                               &scale, run->args->output + lane->first));
    oi_charge(run, &run->report.seconds_dequantise);
    status = reduce_float_blocks(run, lane, chunk);
    oi_charge(run, &run->report.seconds_exchange);
    return status;
}

static optinc_status pipeline(oi_run *run)
{
    const size_t delay = OI_STAGE_STEPS, count = run->chunk_count;
    optinc_status status = OPTINC_OK;

    for (size_t step = 0; step < count + 2 * delay && status == OPTINC_OK; step++) {
        if (step < count)
            status = agree_range(run, step);
        if (status == OPTINC_OK && step >= 2 * delay)
            status = finish_range(run, step - 2 * delay);
        if (status == OPTINC_OK && step >= delay && step - delay < count)
            status = send_range(run, step - delay);
    }
    return status;
}

/* A packet of the size that an all-reduce would send, so that ranks that call one hear of it. */
static optinc_status agree_call(oi_run *run, optinc_status fault)
{
    optinc_collective *c = run->collective;
    const oi_agreement_field fields[OI_HEADER_FIELDS] = {
        {"element count", run->args->count},
        {"step", run->args->step},
        {"operation", (uint64_t)run->args->op | OPERATION_SCATTERED},
    };
    optinc_status status;

    if (fault == OPTINC_OK && run->chunk_count > 0)
        fault = oi_reserve(c, run->chunk_elements * c->transport.size, run->chunk_count);
    memset(c->packet, 0, c->packet_size);
    oi_agreement_write(fields, OI_HEADER_FIELDS, fault, c->packet);
    run->report.bytes_sent += oi_max_bytes(c, c->packet_size);
    status = oi_start_max(c, 0, c->packet, c->packet_size);
    if (status == OPTINC_OK)
        status = oi_wait(c, 0);
    oi_charge(run, &run->report.seconds_exchange);
    if (status == OPTINC_OK)
        status = oi_agreement_read(fields, OI_HEADER_FIELDS, c->packet, &c->log);
    return status;
}

/* output is this rank's part of input, or overlaps no part of it. *whole: the call as an all-reduce. */
static optinc_status check_arguments(const optinc_collective *c,
                                     const optinc_reduce_scatter_args *args,
                                     optinc_allreduce_args *whole)
{
    const float *own = args->input ? args->input + c->transport.rank * args->count : NULL;
    uintptr_t in = (uintptr_t)args->input, out = (uintptr_t)args->output;
    size_t elements, size;

    if (args->op != OPTINC_SUM && args->op != OPTINC_MEAN)
        return oi_fail(&c->log, OPTINC_ERR_INVALID_ARGUMENT, "operation %d", (int)args->op);
    if (!oi_size_multiply(args->count, c->transport.size, &elements) ||
        !oi_size_multiply(elements, sizeof(float), &size) || size > PTRDIFF_MAX)
        return oi_fail(&c->log, OPTINC_ERR_OVERFLOW, "%u parts of %zu elements", c->transport.size,
                       args->count);
    whole->count = elements;
    if (args->count > 0 && (!args->input || !args->output))
        return oi_fail(&c->log, OPTINC_ERR_INVALID_ARGUMENT, "no buffer for %zu elements",
                       args->count);
    if (args->output != own && in < out + args->count * sizeof(float) && out < in + size)
        return oi_fail(&c->log, OPTINC_ERR_INVALID_ARGUMENT,
                       "the output overlaps the input, but is not this rank's part of it");
    return OPTINC_OK;
}

optinc_status optinc_reduce_scatter(optinc_collective *collective,
                                    const optinc_reduce_scatter_args *args,
                                    optinc_allreduce_report *report)
{
    optinc_allreduce_args whole;
    oi_run run = {.collective = collective, .args = &whole};
    optinc_status status;

    if (!collective || !args)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (collective->broken != OPTINC_OK)
        return oi_fail(&collective->log, collective->broken, "the transport has failed before");
    whole = (optinc_allreduce_args){
        .input = args->input, .output = args->output, .op = args->op, .step = args->step};
    run.charged = oi_seconds();
    status = check_arguments(collective, args, &whole);
    cut_parts(&run);
    run.report.elements = whole.count;
    status = agree_call(&run, status);
    if (status == OPTINC_OK)
        status = pipeline(&run);
    return oi_run_end(&run, status, report);
}
