/* SPDX-License-Identifier: Apache-2.0 */
#include "reduce.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optinc/reference.h"

/* Elements whose codes are compared at a time. */
#define COMPARE_ELEMENTS 1024u

/* All memory of a reduction; C elements a chunk. */
typedef struct workspace {
    float *values;      /* x [K][C] */
    float *output;      /* [C] */
    uint8_t *exponents; /* agreed [blocks], then one input's [blocks] */
    uint8_t *symbols;   /* [K][stride] */
    uint8_t *result;    /* [stride] */
    uint64_t *codes;    /* [COMPARE_ELEMENTS] */
    uint64_t *totals;   /* [COMPARE_ELEMENTS] */
    size_t stride;
    size_t blocks;
} workspace;

static void free_workspace(workspace *w)
{
    free(w->values);
    free(w->output);
    free(w->exponents);
    free(w->symbols);
    free(w->result);
    free(w->codes);
    free(w->totals);
}

static bool allocate_workspace(const cli_reduction *r, workspace *w)
{
    size_t elements = r->chunk_elements;

    w->blocks = optinc_block_count(r->codec.block_size, elements);
    w->stride = optinc_symbols_size(r->codec.bits, elements);
    w->values = calloc(r->input_count, elements * sizeof *w->values);
    w->output = calloc(elements, sizeof *w->output);
    w->exponents = calloc(2, w->blocks);
    w->symbols = calloc(r->input_count, w->stride);
    w->result = calloc(1, w->stride);
    w->codes = calloc(COMPARE_ELEMENTS, sizeof *w->codes);
    w->totals = calloc(COMPARE_ELEMENTS, sizeof *w->totals);
    return w->values && w->output && w->exponents && w->symbols && w->result && w->codes &&
           w->totals;
}

/* Servers known to be gone have no part in anything. */
static bool is_gone(const cli_reduction *r, uint32_t k)
{
    return r->faults->any && r->faults->states[k] == OPTINC_PORT_IDLE;
}

static bool is_live(const cli_reduction *r, uint32_t k)
{
    return !r->faults->any || r->faults->states[k] == OPTINC_PORT_LIVE;
}

/* That the mean divides by. */
static uint32_t server_count(const cli_reduction *r)
{
    return r->faults->any ? r->faults->effect.servers : r->input_count;
}

static optinc_status read_chunk(const cli_reduction *r, workspace *w, size_t count)
{
    npy_message message;

    for (uint32_t k = 0; k < r->input_count; k++) {
        optinc_status status =
            npy_read(r->inputs[k], w->values + k * r->chunk_elements, count, &message);

        if (status != OPTINC_OK) {
            cli_error("%s: %s", r->names[k], message.text);
            return status;
        }
        if (is_gone(r, k))
            memset(w->values + k * r->chunk_elements, 0, count * sizeof *w->values);
    }
    return OPTINC_OK;
}

/* The byte-wise maximum of the inputs' exponents is what all servers agree on. */
static optinc_status agree(const cli_reduction *r, workspace *w, size_t count)
{
    size_t blocks = optinc_block_count(r->codec.block_size, count);
    uint8_t *own = w->exponents + w->blocks;

    memset(w->exponents, 0, blocks);
    for (uint32_t k = 0; k < r->input_count; k++) {
        optinc_status status =
            optinc_codec_exponents(&r->codec, w->values + k * r->chunk_elements, count, own);

        if (status != OPTINC_OK)
            return status;
        for (size_t b = 0; b < blocks; b++)
            if (own[b] > w->exponents[b])
                w->exponents[b] = own[b];
    }
    return OPTINC_OK;
}

/* IEEE sum in input order. A NaN loses its payload, which would tell how the sum was compiled. */
static float float_result(const cli_reduction *r, const workspace *w, size_t i)
{
    uint32_t first = 0;
    float sum;

    while (is_gone(r, first))
        first++;
    sum = w->values[first * r->chunk_elements + i];
    for (uint32_t k = first + 1; k < r->input_count; k++)
        if (!is_gone(r, k))
            sum += w->values[k * r->chunk_elements + i];
    if (r->op == OPTINC_MEAN)
        sum /= (float)server_count(r);
    return isnan(sum) ? NAN : sum;
}

/* |y - exact mean or sum|. The sum is carried in two doubles (Knuth's two-sum), so that the figure
 * can be held against a bound that is met exactly. An infinite y stands for every real number that
 * rounds to it. */
static double error_of(const cli_reduction *r, const workspace *w, size_t i)
{
    double scale = r->op == OPTINC_MEAN ? server_count(r) : 1.0;
    double high = 0.0;
    double low = 0.0;
    double y = w->output[i];

    for (uint32_t k = 0; k < r->input_count; k++) {
        double x = w->values[k * r->chunk_elements + i];
        double sum = high + x;
        double part = sum - high;

        low += (high - (sum - part)) + (x - part);
        high = sum;
    }
    if (isinf(y)) {
        y = copysign(0x1.ffffffp127, y);
        if (fabs(high / scale) >= fabs(y) && signbit(high) == signbit(y))
            return 0.0;
    }
    return fabs((y * scale - high) - low) / scale;
}

static void measure_block(const cli_reduction *r, const workspace *w, size_t first, size_t end,
                          double bound, cli_reduction_report *report)
{
    double largest = 0.0;

    for (size_t i = first; i < end; i++) {
        double error = error_of(r, w, i);

        if (!(error <= bound))
            report->beyond_bound++;
        if (!(error <= largest))
            largest = error;
    }
    if (!(largest <= report->error_max))
        report->error_max = largest;
    if (!(bound <= report->error_bound))
        report->error_bound = bound;
}

static uint32_t digits_different(uint64_t a, uint64_t b)
{
    uint64_t difference = a ^ b;
    uint32_t count = 0;

    for (; difference; difference >>= 2)
        count += (difference & 3) != 0;
    return count;
}

/* Compares the result codes of elements first .. first+count-1 with the reference function. */
static optinc_status compare(const cli_reduction *r, workspace *w, size_t first, size_t count,
                             const optinc_stream *stream, cli_reduction_report *report)
{
    optinc_spec spec = optinc_design_flat_spec(r->design);
    size_t offset = optinc_symbols_size(r->codec.bits, first);
    optinc_status status = OPTINC_OK;

    for (size_t i = 0; i < count; i++)
        w->totals[i] = (r->faults->any ? r->faults->effect.idle : spec.ports - r->input_count) *
                       spec.zero_code;
    for (uint32_t k = 0; k < r->input_count && status == OPTINC_OK; k++) {
        if (!is_live(r, k))
            continue;
        status = optinc_symbols_unpack(r->codec.bits, w->symbols + k * w->stride + offset, count,
                                       w->codes);
        for (size_t i = 0; i < count; i++)
            w->totals[i] += w->codes[i];
    }
    if (status == OPTINC_OK)
        status = optinc_symbols_unpack(r->codec.bits, w->result + offset, count, w->codes);
    for (size_t i = 0; i < count && status == OPTINC_OK; i++) {
        uint64_t element = stream->element_first + first + i;
        uint64_t wanted = optinc_reference_result(&spec, w->totals[i],
                                                  optinc_reference_offset(&spec, stream, element));
        uint32_t wrong = digits_different(wanted, w->codes[i]);

        report->symbol_errors += wrong;
        report->code_errors += wrong > 0;
    }
    return status;
}

static optinc_status compare_block(const cli_reduction *r, workspace *w, size_t first, size_t end,
                                   const optinc_stream *stream, cli_reduction_report *report)
{
    optinc_status status = OPTINC_OK;

    for (size_t i = first; i < end && status == OPTINC_OK; i += COMPARE_ELEMENTS)
        status = compare(r, w, i, end - i < COMPARE_ELEMENTS ? end - i : COMPARE_ELEMENTS, stream,
                         report);
    return status;
}

/* What dark ports that nobody sees may add to a block's error. */
static double bias_bound(const cli_reduction *r, uint8_t exponent)
{
    double steps;

    if (!r->faults->any || exponent == OPTINC_EXPONENT_ZERO)
        return 0.0;
    steps = optinc_faults_bias_max(r->design, &r->faults->effect);
    if (r->op == OPTINC_SUM)
        steps *= server_count(r);
    return ldexp(steps, exponent - 1 + optinc_exponent_min(r->codec.bits));
}

static optinc_status finish_blocks(const cli_reduction *r, workspace *w, size_t count,
                                   const optinc_stream *stream, const optinc_result_scale *scale,
                                   cli_reduction_report *report)
{
    bool stochastic = optinc_design_flat_spec(r->design).variant == OPTINC_VARIANT_STOCHASTIC;
    optinc_status status = OPTINC_OK;

    for (size_t b = 0; b * r->codec.block_size < count && status == OPTINC_OK; b++) {
        size_t first = b * r->codec.block_size;
        size_t end = count - first < r->codec.block_size ? count : first + r->codec.block_size;

        report->blocks++;
        if (w->exponents[b] == OPTINC_EXPONENT_NON_FINITE) {
            report->blocks_non_finite++;
            for (size_t i = first; i < end; i++)
                w->output[i] = float_result(r, w, i);
            continue;
        }
        measure_block(r, w, first, end,
                      optinc_error_bound(&r->codec, stochastic, scale, w->exponents[b]) +
                          bias_bound(r, w->exponents[b]),
                      report);
        status = compare_block(r, w, first, end, stream, report);
    }
    return status;
}

static optinc_status reduce_chunk(const cli_reduction *r, workspace *w, uint64_t first,
                                  size_t count, cli_reduction_report *report)
{
    optinc_stream stream = {.seed = r->seed, .step = r->step, .element_first = first};
    optinc_result_scale scale = {
        .op = r->op, .ports = optinc_design_ports(r->design), .servers = server_count(r)};
    optinc_status status = agree(r, w, count);
    optinc_place dark;

    for (uint32_t k = 0; k < r->input_count && status == OPTINC_OK; k++) {
        const optinc_stream own = {optinc_rank_seed(r->seed, k), r->step, first};

        status = optinc_codec_quantise(&r->codec, w->values + k * r->chunk_elements, count,
                                       w->exponents, &own, w->symbols + k * w->stride);
    }
    if (status == OPTINC_OK)
        status = optinc_switch_reduce(r->sw, w->symbols, w->stride, r->input_count, count, &stream,
                                      w->result);
    if (status == OPTINC_OK)
        status =
            optinc_codec_dequantise(&r->codec, w->result, count, w->exponents, &scale, w->output);
    if (status == OPTINC_OK)
        status = finish_blocks(r, w, count, &stream, &scale, report);
    if (status == OPTINC_ERR_DARK && optinc_switch_dark_at(r->sw, &dark))
        cli_error("input %u of level %u is dark: %s", dark.index, dark.level,
                  optinc_status_text(status));
    else if (status != OPTINC_OK)
        cli_library_error(status, "reduce");
    return status;
}

optinc_status cli_reduce(const cli_reduction *r, cli_reduction_report *report)
{
    workspace w = {0};
    optinc_status status = OPTINC_OK;
    uint64_t first = 0;

    *report = (cli_reduction_report){0};
    if (!allocate_workspace(r, &w)) {
        cli_error("out of memory for chunks of %zu elements, expected a smaller --chunk",
                  r->chunk_elements);
        status = OPTINC_ERR_OUT_OF_MEMORY;
    }
    while (status == OPTINC_OK && first < r->element_count) {
        uint64_t left = r->element_count - first;
        size_t count = left < r->chunk_elements ? (size_t)left : r->chunk_elements;

        status = read_chunk(r, &w, count);
        if (status == OPTINC_OK)
            status = reduce_chunk(r, &w, first, count, report);
        if (status == OPTINC_OK && npy_write(r->output, w.output, count) != OPTINC_OK) {
            cli_error("%s: cannot be written: %s", r->output_name, strerror(errno));
            status = OPTINC_ERR_IO;
        }
        first += count;
        if (status == OPTINC_OK &&
            !cli_progress.report(cli_progress.user, first, r->element_count)) {
            cli_error("%s", optinc_status_text(OPTINC_ERR_INTERRUPTED));
            status = OPTINC_ERR_INTERRUPTED;
        }
    }
    free_workspace(&w);
    return status;
}
