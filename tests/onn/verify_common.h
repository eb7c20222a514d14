/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of verification share: units, and units with single weights changed. */
#ifndef TESTS_ONN_VERIFY_COMMON_H
#define TESTS_ONN_VERIFY_COMMON_H

#include "oracle.h"

#include "onn/prove.h"

#include <string.h>

static inline optinc_spec single(uint32_t ports, uint32_t bits, optinc_variant variant)
{
    optinc_spec spec;

    assert_int_equal(optinc_spec_single(ports, bits, variant, NULL, &spec), OPTINC_OK);
    return spec;
}

static inline optinc_design *construct(const optinc_spec *spec, optinc_activation activation,
                                       double gap)
{
    optinc_construct_options options = {.activation = activation, .gap = gap};
    optinc_design *design = NULL;

    assert_int_equal(optinc_construct(spec, &options, NULL, &design), OPTINC_OK);
    return design;
}

static inline optinc_verify_result verify(const optinc_design *design,
                                          const optinc_verify_options *options)
{
    optinc_verify_result result;

    memset(&result, 0xA5, sizeof result);
    assert_int_equal(optinc_verify(design, 0, options, NULL, NULL, &result), OPTINC_OK);
    return result;
}

/* A copy of a unit in which single weights may be changed. */
typedef struct altered {
    optinc_unit unit;
    optinc_layer layers[16];
} altered;

static inline void alter_begin(const optinc_unit *unit, altered *copy)
{
    copy->unit = *unit;
    assert_true(unit->layer_count <= 16);
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        size_t count = (size_t)unit->layers[l].rows * unit->layers[l].cols;
        double *weight = malloc(count * sizeof *weight);
        double *bias = malloc(unit->layers[l].rows * sizeof *bias);

        assert_true(weight && bias);
        memcpy(weight, unit->layers[l].weight, count * sizeof *weight);
        memcpy(bias, unit->layers[l].bias, unit->layers[l].rows * sizeof *bias);
        copy->layers[l] = unit->layers[l];
        copy->layers[l].weight = weight;
        copy->layers[l].bias = bias;
    }
    copy->unit.layers = copy->layers;
}

static inline void alter_end(altered *copy)
{
    for (uint32_t l = 0; l < copy->unit.layer_count; l++) {
        free((void *)copy->layers[l].weight);
        free((void *)copy->layers[l].bias);
    }
}

#endif
