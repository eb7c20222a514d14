/* SPDX-License-Identifier: Apache-2.0 */
/* One value on its way to one receiver, whose noise theory gives. */
#ifndef TESTS_OPTICS_LINE_DESIGN_H
#define TESTS_OPTICS_LINE_DESIGN_H

#include "optinc/design.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static inline optinc_design *line_design(void)
{
    static const double weight[1] = {1}, bias[1] = {0.25};
    const optinc_layer layer = {.rows = 1, .cols = 1, .weight = weight, .bias = bias};
    const optinc_input input = {.digit_count = 1, .scale = 1};
    optinc_unit unit = {.method = OPTINC_METHOD_TRAINED,
                        .input_count = 1,
                        .inputs = &input,
                        .layer_count = 1,
                        .layers = &layer};
    optinc_design *design = NULL;

    assert_int_equal(optinc_spec_single(2, 2, OPTINC_VARIANT_HALF_UP, NULL, &unit.spec), OPTINC_OK);
    assert_int_equal(optinc_design_create(&unit, 1, NULL, &design), OPTINC_OK);
    return design;
}

/* Share of a Gaussian beyond x standard deviations. */
static inline double tail(double x)
{
    return 0.5 * erfc(x / sqrt(2));
}

#endif
