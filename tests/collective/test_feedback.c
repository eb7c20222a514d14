/* SPDX-License-Identifier: Apache-2.0 */
/* Error feedback: what has been delivered so far and what is still carried add up to what has been
 * given, step after step. Inputs are such that the sums below are exact. */
#include "collective/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANKS 3u
#define COUNT 70001u
#define STEPS 6u

/* Sum of the codes' values that rank sends is input + old residual - new residual, exactly; with
 * N = K = 1 server a port... the switch rounds as well, so the identity holds within its bound. */
static void nothing_is_lost(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, RANKS, COUNT);
    double *given = calloc(COUNT, sizeof *given), *delivered = calloc(COUNT, sizeof *delivered);
    double bound = 0.0, carried_max = 0.0;

    (void)state;
    assert_true(given && delivered);
    w.feedback = true;
    w.op = OPTINC_SUM;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint64_t random = step;

        for (uint32_t rank = 0; rank < RANKS; rank++)
            for (size_t i = 0; i < COUNT; i++)
                w.input[rank][i] = (float)((int64_t)(random_word(&random) % 65536) - 32768);
        run_world_ok(&w);
        /* the switch's own rounding is not fed back: at most 2^e N/2 a step */
        bound += w.report[0].error_bound_max * 4.0 / (3.0 + 4.0);
        for (size_t i = 0; i < COUNT; i++) {
            double carried = 0.0;

            for (uint32_t rank = 0; rank < RANKS; rank++) {
                given[i] += (double)w.input[rank][i];
                carried += (double)w.residual[rank][i];
            }
            delivered[i] += (double)w.output[0][i];
            carried_max = fmax(carried_max, fabs(carried));
            if (!(fabs(given[i] - delivered[i] - carried) <= bound))
                fail_msg("step %u element %zu: given %g, delivered %g, carried %g, bound %g", step,
                         i, given[i], delivered[i], carried, bound);
        }
    }
    /* the codes were coarse enough for the test to mean something */
    assert_true(carried_max > 100.0);
    free(given);
    free(delivered);
    free_world(&w);
    optinc_design_destroy(&design);
}

/* One step equals an all-reduce of input + residual, and leaves its quantisation error. */
static void one_step(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, RANKS, COUNT);
    float *result = calloc(COUNT, sizeof *result);

    (void)state;
    assert_non_null(result);
    for (uint32_t in_place = 0; in_place < 2; in_place++) {
        float *expected = calloc(COUNT, sizeof *expected);
        double *bound = calloc(COUNT, sizeof *bound);

        assert_true(expected && bound);
        fill_inputs(&w, 8);
        for (uint32_t rank = 0; rank < RANKS; rank++)
            for (size_t i = 0; i < COUNT; i++)
                w.residual[rank][i] = ldexpf((float)((i + rank) % 64), -10);
        w.feedback = true;
        w.in_place = in_place;
        run_world_ok(&w);
        memcpy(result, w.output[0], COUNT * sizeof *result);
        for (uint32_t rank = 0; rank < RANKS; rank++)
            for (size_t i = 0; i < COUNT; i++)
                w.input[rank][i] += ldexpf((float)((i + rank) % 64), -10);
        oracle(&w, 4, 8, expected, bound);
        assert_same_bits(result, expected, COUNT);
        /* half a code step at most is carried: bound is 2^e N/K */
        for (uint32_t rank = 0; rank < RANKS; rank++)
            for (size_t i = 0; i < COUNT; i++)
                if (!(fabs((double)w.residual[rank][i]) <= 0.5 * bound[i] * RANKS / 4))
                    fail_msg("element %zu carries %g", i, (double)w.residual[rank][i]);
        free(expected);
        free(bound);
    }
    free(result);
    free_world(&w);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(one_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
