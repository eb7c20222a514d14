/* SPDX-License-Identifier: Apache-2.0 */
#include "collective/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The exact backend runs the reference function, so layers of the right shape will do. */
static void fill_unit(optinc_unit *unit, const optinc_spec *spec, optinc_input *inputs,
                      optinc_layer *layer, const double *zeros)
{
    uint32_t digits_in = optinc_spec_digits_in(spec), digits_out = optinc_spec_digits_out(spec);
    uint32_t bias_digits = 0;

    if (spec->variant == OPTINC_VARIANT_STOCHASTIC)
        bias_digits = (spec->divisor_log2 + 1) / 2;
    for (uint32_t i = 0; i < digits_in + bias_digits; i++)
        inputs[i] = (optinc_input){.digit_first = i, .digit_count = 1, .scale = 1.0};
    *layer = (optinc_layer){
        .rows = digits_out,
        .cols = digits_in + bias_digits,
        .activation = OPTINC_ACTIVATION_LINEAR,
        .mapping = OPTINC_MAPPING_SVD,
        .weight = zeros,
        .bias = zeros,
    };
    *unit = (optinc_unit){
        .spec = *spec,
        .method = OPTINC_METHOD_CONSTRUCTED,
        .gap = 0.5,
        .input_count = digits_in + bias_digits,
        .inputs = inputs,
        .layer_count = 1,
        .layers = layer,
        .proof = {.kind = OPTINC_PROOF_COMPOSITIONAL,
                  .exact = true,
                  .cases = 1,
                  .margin_min = 0.5,
                  .error_bound = NAN},
    };
}

static uint32_t log2_of(uint32_t power)
{
    uint32_t log2 = 0;

    while ((1u << log2) < power)
        log2++;
    return log2;
}

optinc_design *make_design(uint32_t ports, uint32_t bits, uint32_t levels, optinc_variant variant)
{
    static const double zeros[64 * 64];
    optinc_input inputs[2][64];
    optinc_layer layers[2];
    optinc_unit units[2];
    optinc_spec spec;
    optinc_design *design = NULL;

    assert_in_range(levels, 1, 2);
    if (levels == 1) {
        assert_int_equal(optinc_spec_single(ports, bits, variant, NULL, &spec), OPTINC_OK);
        fill_unit(&units[0], &spec, inputs[0], &layers[0], zeros);
    } else {
        assert_int_equal(optinc_spec_single(ports, bits, OPTINC_VARIANT_RESIDUAL, NULL, &spec),
                         OPTINC_OK);
        fill_unit(&units[0], &spec, inputs[0], &layers[0], zeros);
        spec.zero_code *= ports;
        spec.bits_in = spec.bits_out;
        spec.bits_out = bits;
        spec.divisor_log2 = 2 * log2_of(ports);
        spec.variant = variant;
        fill_unit(&units[1], &spec, inputs[1], &layers[1], zeros);
    }
    assert_int_equal(optinc_design_create(units, levels, NULL, &design), OPTINC_OK);
    return design;
}

static float **make_rows(uint32_t rows, size_t count)
{
    float **row = calloc(rows, sizeof *row);

    assert_non_null(row);
    for (uint32_t i = 0; i < rows; i++) {
        row[i] = calloc(count + 1, sizeof **row);
        assert_non_null(row[i]);
    }
    return row;
}

static void free_rows(float **row, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++)
        free(row[i]);
    free(row);
}

world make_world(const optinc_design *design, uint32_t ranks, size_t count)
{
    world w = {.ranks = ranks, .count = count, .op = OPTINC_MEAN, .design = design};

    w.hub = thread_hub_create(ranks);
    w.input = make_rows(ranks, count);
    w.output = make_rows(ranks, count);
    w.residual = make_rows(ranks, count);
    w.status = calloc(ranks, sizeof *w.status);
    w.report = calloc(ranks, sizeof *w.report);
    assert_non_null(w.status);
    assert_non_null(w.report);
    return w;
}

void free_world(world *w)
{
    thread_hub_destroy(w->hub);
    free_rows(w->input, w->ranks);
    free_rows(w->output, w->ranks);
    free_rows(w->residual, w->ranks);
    free(w->status);
    free(w->report);
}

uint64_t random_word(uint64_t *state)
{
    /* SplitMix64 (Steele, Lea, Flood 2014) */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double random_unit(uint64_t *state)
{
    return (double)(int64_t)random_word(state) * 0x1p-63;
}

void fill_inputs(world *w, uint64_t seed)
{
    for (uint32_t rank = 0; rank < w->ranks; rank++) {
        uint64_t state = seed * 1000003u + rank;

        for (size_t i = 0; i < w->count; i++) {
            /* blocks of other magnitude, and one in nine zero on this rank */
            uint64_t block = i / 64, key = seed + block * 7919u + rank;
            int exponent = (int)(random_word(&key) % 60) - 30;

            w->input[rank][i] = (float)ldexp(random_unit(&state), exponent);
            if (random_word(&key) % 9 == 0)
                w->input[rank][i] = 0.0f;
        }
    }
}

static void body(void *user, uint32_t rank, const optinc_transport *transport)
{
    world *w = user;
    optinc_collective *collective = NULL;
    optinc_status status =
        optinc_collective_create(transport, w->design, &w->options, NULL, &collective);

    if (status == OPTINC_OK) {
        const optinc_allreduce_args args = {
            .input = w->in_place ? w->output[rank] : w->input[rank],
            .output = w->output[rank],
            .count = w->count,
            .op = w->op,
            .error_feedback = w->feedback ? w->residual[rank] : NULL,
            .step = w->step,
            .turn = w->turn,
        };

        for (uint32_t i = 0; i <= w->repeats && status == OPTINC_OK; i++)
            status = optinc_allreduce(collective, &args, &w->report[rank]);
    }
    w->status[rank] = status;
    optinc_collective_destroy(&collective);
}

void run_world(world *w)
{
    for (uint32_t rank = 0; rank < w->ranks; rank++) {
        if (w->in_place)
            memcpy(w->output[rank], w->input[rank], w->count * sizeof(float));
        else
            memset(w->output[rank], 0xff, w->count * sizeof(float)); /* NaN */
    }
    thread_hub_run(w->hub, body, w);
}

uint32_t float_bits(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

void assert_same_bits(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (float_bits(a[i]) != float_bits(b[i]))
            fail_msg("element %zu: %a (%08x) and %a (%08x)", i, (double)a[i], float_bits(a[i]),
                     (double)b[i], float_bits(b[i]));
    }
}

void run_world_ok(world *w)
{
    run_world(w);
    for (uint32_t rank = 0; rank < w->ranks; rank++) {
        assert_int_equal(w->status[rank], OPTINC_OK);
        assert_same_bits(w->output[0], w->output[rank], w->count);
    }
}

/* The smallest e >= 130 - B - 253 with max|x| <= (2^(B-1)-1) 2^e; false if all elements are 0. */
static bool block_exponent(const world *w, uint32_t bits, size_t first, size_t count, int *e)
{
    double largest = 0.0, top = ldexp(1.0, (int)bits - 1) - 1.0;

    for (uint32_t rank = 0; rank < w->ranks; rank++)
        for (size_t i = first; i < first + count; i++)
            largest = fmax(largest, fabs((double)w->input[rank][i]));
    *e = 130 - (int)bits - 253;
    while (largest > ldexp(top, *e))
        ++*e;
    return largest > 0.0;
}

void oracle(const world *w, uint32_t ports, uint32_t bits, float *expected, double *bound)
{
    size_t block = w->options.block_size ? w->options.block_size : 256;
    int64_t zero = (int64_t)1 << (bits - 1);

    for (size_t first = 0; first < w->count; first += block) {
        size_t count = w->count - first < block ? w->count - first : block;
        int e;
        bool any = block_exponent(w, bits, first, count, &e);

        for (size_t i = first; i < first + count; i++) {
            int64_t total = (int64_t)(ports - w->ranks) * zero, r;
            double mean;

            if (!any) {
                expected[i] = 0.0f;
                bound[i] = 0.0;
                continue;
            }
            for (uint32_t rank = 0; rank < w->ranks; rank++)
                total += (int64_t)nearbyint(ldexp((double)w->input[rank][i], -e)) + zero;
            r = (total + ports / 2) / ports;
            /* r - zero has 32 bits at most and N/K one rounding in double */
            mean = ldexp((double)(r - zero), e) * ports / w->ranks;
            expected[i] =
                (float)(w->op == OPTINC_MEAN ? mean : ldexp((double)(r - zero), e) * ports);
            bound[i] = ldexp(1.0, e) * ports / (w->op == OPTINC_MEAN ? w->ranks : 1);
        }
    }
}
