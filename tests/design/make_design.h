/* SPDX-License-Identifier: Apache-2.0 */
/* Designs for the tests of the design room: small, and with every field different from zero. */
#ifndef TESTS_DESIGN_MAKE_DESIGN_H
#define TESTS_DESIGN_MAKE_DESIGN_H

#include "optinc/design.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLE_WIDTH 5u

/* Two levels of N = 2, B = 2: a residual switch (1 digit in, 2 out) with an ONN of two layers and
 * a table, below the last switch (2 digits in, 1 out) with a table of 49 entries alone. */
typedef struct sample {
    optinc_input inputs[1];
    double weight0[SAMPLE_WIDTH];
    double bias0[SAMPLE_WIDTH];
    double weight1[2 * SAMPLE_WIDTH];
    double bias1[2];
    optinc_layer layers[2];
    uint32_t table0[7];
    uint32_t table1[49];
    optinc_unit units[2];
} sample;

static inline void sample_fill(sample *s)
{
    *s = (sample){.inputs = {{.digit_first = 0, .digit_count = 1, .scale = 1.25}}};
    for (uint32_t i = 0; i < SAMPLE_WIDTH; i++) {
        s->weight0[i] = 0.1 * (i + 1);
        s->bias0[i] = -0.3 + i;
        s->weight1[i] = 1.0 / (i + 1);
        s->weight1[SAMPLE_WIDTH + i] = -1e-300 * (i + 1);
    }
    s->bias1[0] = 0.5;
    s->bias1[1] = -0.0;
    s->layers[0] = (optinc_layer){.rows = SAMPLE_WIDTH,
                                  .cols = 1,
                                  .activation = OPTINC_ACTIVATION_SATURATING,
                                  .mapping = OPTINC_MAPPING_SEGMENTED,
                                  .segment_side = 1,
                                  .weight = s->weight0,
                                  .bias = s->bias0};
    s->layers[1] = (optinc_layer){.rows = 2,
                                  .cols = SAMPLE_WIDTH,
                                  .activation = OPTINC_ACTIVATION_LINEAR,
                                  .mapping = OPTINC_MAPPING_DIRECT,
                                  .weight = s->weight1,
                                  .bias = s->bias1};
    for (uint32_t i = 0; i < 7; i++)
        s->table0[i] = i;
    for (uint32_t i = 0; i < 49; i++)
        s->table1[i] = i % 4;
    s->units[0] = (optinc_unit){.spec = {.ports = 2,
                                         .bits_in = 2,
                                         .bits_out = 4,
                                         .variant = OPTINC_VARIANT_RESIDUAL,
                                         .zero_code = 2},
                                .method = OPTINC_METHOD_TRAINED,
                                .seed = UINT64_MAX,
                                .gap = 0.1,
                                .input_count = 1,
                                .inputs = s->inputs,
                                .layer_count = 2,
                                .layers = s->layers,
                                .table_count = 7,
                                .table = s->table0,
                                .proof = {.kind = OPTINC_PROOF_SAMPLED,
                                          .cases = UINT64_MAX,
                                          .errors = UINT64_MAX - 1,
                                          .margin_min = -0.125,
                                          .error_bound = 0.75}};
    s->units[1] = (optinc_unit){.spec = {.ports = 2,
                                         .bits_in = 4,
                                         .bits_out = 2,
                                         .divisor_log2 = 2,
                                         .variant = OPTINC_VARIANT_HALF_UP,
                                         .zero_code = 4},
                                .method = OPTINC_METHOD_CONSTRUCTED,
                                .gap = 0.5,
                                .table_count = 49,
                                .table = s->table1,
                                .proof = {.kind = OPTINC_PROOF_EXHAUSTIVE,
                                          .exact = true,
                                          .cases = 49,
                                          .margin_min = NAN,
                                          .error_bound = NAN}};
}

#endif
