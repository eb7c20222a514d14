/* SPDX-License-Identifier: Apache-2.0 */
/* The all-reduce (docs/training.md). A chunk goes through four stages, each of which ends
 * by starting the exchange that the next one waits for:
 *
 *   agree     exponents of its blocks                    -> MAX all-reduce
 *   send      codes with the agreed exponents            -> alltoall
 *   reduce    this rank is the switch for its share      -> allgather
 *   finish    results to floats
 *
 * In step t chunk t is agreed, t-2 sent, t-4 reduced and t-6 finished, so each exchange has about two
 * steps of other work to hide behind; with one the links fall idle whenever a rank is late. An
 * element's result depends on its block alone, and blocks are counted from the message's start, so no
 * cut shows in the result. */
#include "collective/agreement.h"
#include "collective/state.h"

#include "base/log.h"
#include "base/memory.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* What this rank contributes: with error feedback the sum is kept in the caller's state. */
static const float *contribution(const oi_run *run, const oi_lane *lane)
{
    const optinc_allreduce_args *args = run->args;

    return (args->error_feedback ? args->error_feedback : args->input) + lane->first;
}

static void place_chunk(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = oi_open_lane(run, chunk);
    size_t size = chunk == 0 ? run->first_elements : run->chunk_elements;

    lane->first = chunk == 0 ? 0 : run->first_elements + (chunk - 1) * run->chunk_elements;
    lane->count = run->args->count - lane->first < size ? run->args->count - lane->first : size;
    lane->share = oi_share_elements(lane->count, c->transport.size);
    lane->share_size = optinc_symbols_size(c->codec.bits, lane->share);
    if (chunk == 0)
        lane->exponents = c->packet + OI_HEADER_SIZE;
}

static void add_feedback(const oi_run *run, const oi_lane *lane)
{
    float *carried = run->args->error_feedback + lane->first;
    const float *x = run->args->input + lane->first;

    for (size_t i = 0; i < lane->count; i++)
        carried[i] += x[i];
}

/* Exponents of a server that is gone: those of zeros, so that the others do not notice it. */
static void ask_for_nothing(const optinc_collective *c, oi_lane *lane)
{
    memset(lane->exponents, OPTINC_EXPONENT_ZERO,
           optinc_block_count(c->codec.block_size, lane->count));
}

/* Before the ranks have agreed on the call nothing of the caller's may change, so the exponents of
 * the first chunk with error feedback are taken from copies of its blocks. */
static void preview_exponents(oi_run *run, oi_lane *lane)
{
    optinc_collective *c = run->collective;
    size_t block_size = c->codec.block_size;

    if (c->is_gone) {
        ask_for_nothing(c, lane);
        return;
    }
    for (size_t first = 0, block = 0; first < lane->count; first += block_size, block++) {
        size_t count = lane->count - first < block_size ? lane->count - first : block_size;
        const float *x = run->args->input + lane->first + first;
        const float *carried = run->args->error_feedback + lane->first + first;

        for (size_t i = 0; i < count; i++)
            c->scratch[i] = carried[i] + x[i];
        oi_note_fault(
            run, optinc_codec_exponents(&c->codec, c->scratch, count, lane->exponents + block));
    }
}

static void compute_exponents(oi_run *run, oi_lane *lane)
{
    optinc_collective *c = run->collective;
    const float *x = contribution(run, lane);

    if (c->is_gone) {
        ask_for_nothing(c, lane);
        return;
    }
    for (size_t first = 0; first < lane->count; first += c->piece_elements) {
        size_t rest = lane->count - first;

        oi_note_fault(run,
                      optinc_codec_exponents(&c->codec, x + first,
                                             rest < c->piece_elements ? rest : c->piece_elements,
                                             lane->exponents + first / c->codec.block_size));
        oi_run_progress(run, &run->report.seconds_quantise);
    }
}

/* Stage 1 of every chunk but the first. */
static optinc_status agree_chunk(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = oi_lane_of(run, chunk);

    place_chunk(run, chunk);
    if (run->args->error_feedback)
        add_feedback(run, lane);
    compute_exponents(run, lane);
    oi_charge(run, &run->report.seconds_quantise);
    return oi_send_exponents(run, chunk, optinc_block_count(c->codec.block_size, lane->count));
}

/* Stage 1 of the first chunk: compares the call as well, and waits for the verdict. `fault`: what is
 * wrong with this rank's arguments. */
static optinc_status agree_call(oi_run *run, optinc_status fault)
{
    optinc_collective *c = run->collective;
    const optinc_allreduce_args *args = run->args;
    const oi_agreement_field fields[OI_HEADER_FIELDS] = {
        {"element count", args->count},
        {"step", args->step},
        {"operation", (uint64_t)args->op | (uint64_t)args->turn << 32},
    };
    oi_lane *lane = oi_lane_of(run, 0);
    optinc_status status;

    memset(c->packet, 0, run->packet_size);
    if (fault == OPTINC_OK && run->chunk_count > 0)
        fault = oi_reserve(c, args->count < run->chunk_elements ? args->count : run->chunk_elements,
                           run->chunk_count);
    if (fault == OPTINC_OK) {
        place_chunk(run, 0);
        if (args->error_feedback)
            preview_exponents(run, lane);
        else
            compute_exponents(run, lane);
        fault = run->fault;
    }
    oi_agreement_write(fields, OI_HEADER_FIELDS, fault, c->packet);
    oi_charge(run, &run->report.seconds_quantise);
    run->report.bytes_sent += oi_max_bytes(c, run->packet_size);
    status = oi_start_max(c, oi_slot_of(0), c->packet, run->packet_size);
    if (status == OPTINC_OK)
        status = oi_wait(c, oi_slot_of(0));
    oi_charge(run, &run->report.seconds_exchange);
    if (status != OPTINC_OK)
        return status;
    status = oi_agreement_read(fields, OI_HEADER_FIELDS, c->packet, &c->log);
    if (status != OPTINC_OK)
        return status;
    c->packet_size = oi_next_packet_size(c, args->count);
    if (args->error_feedback)
        add_feedback(run, lane);
    return OPTINC_OK;
}

/* Non-finite blocks with error feedback: quantising clears them in the caller's state, so what this
 * rank contributes is kept where the result will be; that range of the input has been used. */
static void keep_float_blocks(oi_run *run, const oi_lane *lane)
{
    size_t block_size = run->collective->codec.block_size;
    size_t blocks = optinc_block_count((uint32_t)block_size, lane->count);

    for (size_t block = 0; block < blocks; block++) {
        size_t first = block * block_size;
        size_t count = lane->count - first < block_size ? lane->count - first : block_size;

        if (lane->exponents[block] == OPTINC_EXPONENT_NON_FINITE)
            memcpy(run->args->output + lane->first + first, contribution(run, lane) + first,
                   count * sizeof(float));
    }
}

static void quantise(oi_run *run, oi_lane *lane)
{
    optinc_collective *c = run->collective;
    const optinc_allreduce_args *args = run->args;

    if (c->is_gone) /* the switch does not look at its codes; feedback keeps what was not sent */
        return;
    for (size_t first = 0; first < lane->count; first += c->piece_elements) {
        size_t rest = lane->count - first;
        size_t count = rest < c->piece_elements ? rest : c->piece_elements;
        const uint8_t *exponents = lane->exponents + first / c->codec.block_size;
        const optinc_stream stream = {c->rank_seed, args->step, lane->first + first};
        uint8_t *codes = lane->codes + optinc_symbols_size(c->codec.bits, first);

        if (args->error_feedback)
            oi_note_fault(run, optinc_codec_quantise_feedback(
                                   &run->codec, args->error_feedback + lane->first + first, count,
                                   exponents, &stream, codes));
        else
            oi_note_fault(run, optinc_codec_quantise(&run->codec, args->input + lane->first + first,
                                                     count, exponents, &stream, codes));
        oi_run_progress(run, &run->report.seconds_quantise);
    }
}

/* Stage 2. Codes behind the chunk's last element are whatever was there before: no rank reduces
 * them. */
static optinc_status send_chunk(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = oi_lane_of(run, chunk);
    optinc_status status = chunk == 0 ? OPTINC_OK : oi_await(run, chunk);

    if (status != OPTINC_OK)
        return status;
    oi_note_exponents(run, lane->exponents, optinc_block_count(c->codec.block_size, lane->count));
    if (run->args->error_feedback)
        keep_float_blocks(run, lane);
    quantise(run, lane);
    oi_charge(run, &run->report.seconds_quantise);
    return oi_send_codes(run, chunk);
}

static void reduce_share(oi_run *run, oi_lane *lane)
{
    size_t begin = run->collective->transport.rank * lane->share;
    size_t valid = begin >= lane->count ? 0 : lane->count - begin;

    oi_switch_share(run, lane, lane->first + begin, valid < lane->share ? valid : lane->share);
}

/* Stage 3. The codes have been sent, so the results may be gathered over them. */
static optinc_status reduce_chunk(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    oi_lane *lane = oi_lane_of(run, chunk);
    optinc_status status = oi_await(run, chunk);

    if (status != OPTINC_OK)
        return status;
    reduce_share(run, lane);
    oi_charge(run, &run->report.seconds_switch);
    run->report.bytes_sent += (uint64_t)(c->transport.size - 1) * lane->share_size;
    status = oi_start_allgather(c, oi_slot_of(chunk), lane->reduced, lane->codes, lane->share_size);
    oi_charge(run, &run->report.seconds_exchange);
    return status;
}

static bool has_float_blocks(const oi_run *run, const oi_lane *lane)
{
    size_t blocks = optinc_block_count(run->collective->codec.block_size, lane->count);

    return memchr(lane->exponents, OPTINC_EXPONENT_NON_FINITE, blocks) != NULL;
}

/* Stage 4 */
static optinc_status finish_chunk(oi_run *run, size_t chunk)
{
    optinc_collective *c = run->collective;
    const optinc_allreduce_args *args = run->args;
    const optinc_result_scale scale = {args->op, c->ports, c->servers};
    oi_lane *lane = oi_lane_of(run, chunk);
    optinc_status status = oi_await(run, chunk);

    if (status != OPTINC_OK)
        return status;
    for (size_t first = 0; first < lane->count; first += c->piece_elements) {
        size_t rest = lane->count - first;
        size_t count = rest < c->piece_elements ? rest : c->piece_elements;
        const uint8_t *exponents = lane->exponents + first / c->codec.block_size;
        float *y = args->output + lane->first + first;

        oi_note_fault(run, optinc_codec_dequantise(
                               &run->codec, lane->codes + optinc_symbols_size(c->codec.bits, first),
                               count, exponents, &scale, y));
        oi_run_progress(run, &run->report.seconds_dequantise);
    }
    oi_charge(run, &run->report.seconds_dequantise);
    if (has_float_blocks(run, lane))
        status = oi_reduce_float_blocks(run, lane, oi_slot_of(chunk),
                                        (args->error_feedback ? args->output : args->input) +
                                            lane->first,
                                        args->output + lane->first);
    oi_charge(run, &run->report.seconds_exchange);
    return status;
}

static optinc_status pipeline(oi_run *run)
{
    const size_t delay = OI_STAGE_STEPS, count = run->chunk_count;
    optinc_status status = OPTINC_OK;

    for (size_t step = 0; step < count + 3 * delay && status == OPTINC_OK; step++) {
        if (step >= 1 && step < count)
            status = agree_chunk(run, step);
        if (status == OPTINC_OK && step >= 2 * delay && step - 2 * delay < count)
            status = reduce_chunk(run, step - 2 * delay);
        if (status == OPTINC_OK && step >= delay && step - delay < count)
            status = send_chunk(run, step - delay);
        if (status == OPTINC_OK && step >= 3 * delay)
            status = finish_chunk(run, step - 3 * delay);
    }
    return status;
}

static optinc_status check_arguments(const optinc_collective *c, const optinc_allreduce_args *args)
{
    uintptr_t in = (uintptr_t)args->input, out = (uintptr_t)args->output;
    size_t size;

    if (args->op != OPTINC_SUM && args->op != OPTINC_MEAN)
        return oi_fail(&c->log, OPTINC_ERR_INVALID_ARGUMENT, "operation %d", (int)args->op);
    if ((unsigned)args->turn > OPTINC_TURN_ODD)
        return oi_fail(&c->log, OPTINC_ERR_INVALID_ARGUMENT, "turn %d", (int)args->turn);
    if (!oi_size_multiply(args->count, sizeof(float), &size) || size > PTRDIFF_MAX)
        return oi_fail(&c->log, OPTINC_ERR_OVERFLOW, "%zu elements", args->count);
    if (args->count > 0 && (!args->input || !args->output))
        return oi_fail(&c->log, OPTINC_ERR_INVALID_ARGUMENT, "no buffer for %zu elements",
                       args->count);
    if (in != out && in < out + size && out < in + size)
        return oi_fail(&c->log, OPTINC_ERR_INVALID_ARGUMENT, "input and output overlap");
    return OPTINC_OK;
}

optinc_status optinc_allreduce(optinc_collective *collective, const optinc_allreduce_args *args,
                               optinc_allreduce_report *report)
{
    oi_run run = {.collective = collective, .args = args};
    optinc_status status;

    if (!collective || !args)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (collective->broken != OPTINC_OK)
        return oi_fail(&collective->log, collective->broken, "the transport has failed before");
    run.codec = collective->codec;
    run.codec.turn = args->turn;
    run.charged = oi_seconds();
    oi_cut(&run);
    run.report.elements = args->count;
    status = agree_call(&run, check_arguments(collective, args));
    if (status == OPTINC_OK)
        status = pipeline(&run);
    return oi_run_end(&run, status, report);
}
