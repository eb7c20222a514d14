/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks with a NaN or an infinity on any rank give what an IEEE float sum in rank order gives; their
 * neighbours go through the switch as ever (docs/mpi.md). */
#include "collective/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 64u
#define COUNT (100u * BLOCK + 17u)

static float float_sum(const world *w, size_t i)
{
    float sum = w->input[0][i];

    for (uint32_t rank = 1; rank < w->ranks; rank++)
        sum += w->input[rank][i];
    return w->op == OPTINC_MEAN ? sum / (float)w->ranks : sum;
}

static void check_block(const world *w, size_t block)
{
    size_t end = (block + 1) * BLOCK < w->count ? (block + 1) * BLOCK : w->count;

    for (size_t i = block * BLOCK; i < end; i++) {
        float expected = float_sum(w, i), result = w->output[0][i];

        if (isnan(expected) ? !isnan(result) : float_bits(expected) != float_bits(result))
            fail_msg("element %zu: %g, not %g", i, (double)result, (double)expected);
    }
}

static bool is_float_block(size_t block)
{
    return block % 7 == 3 || block == 4 || block == 100;
}

static void put_non_finite(world *w)
{
    for (size_t block = 0; block <= COUNT / BLOCK; block++) {
        size_t first = block * BLOCK;
        uint32_t rank = (uint32_t)block % w->ranks;

        if (!is_float_block(block))
            continue;
        w->input[rank][first + 5] = block % 2 ? INFINITY : NAN;
        w->input[(rank + 1) % w->ranks][first + 5] = block % 3 ? -INFINITY : 1.0f;
        w->input[rank][first + 6] = -INFINITY;
        /* the sum overflows in one order and not in another */
        for (uint32_t other = 0; other < w->ranks; other++)
            w->input[other][first + 7] = other % 2 ? -0x1.8p127f : 0x1.8p127f;
    }
}

static void check_world(world *w, float *finite)
{
    size_t float_blocks = 0;

    memcpy(finite, w->output[0], COUNT * sizeof *finite); /* of the run without NaN and Inf */
    run_world_ok(w);
    for (size_t block = 0; block <= COUNT / BLOCK; block++) {
        size_t first = block * BLOCK, count = COUNT - first < BLOCK ? COUNT - first : BLOCK;

        if (is_float_block(block)) {
            float_blocks++;
            check_block(w, block);
        } else {
            assert_same_bits(w->output[0] + first, finite + first, count);
        }
    }
    for (uint32_t rank = 0; rank < w->ranks; rank++)
        assert_int_equal(w->report[rank].blocks_non_finite, float_blocks);
}

static void non_finite_blocks_are_float_sums(void **state)
{
    static float finite[COUNT];
    optinc_design *design = make_design(8, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint32_t ranks = 1; ranks <= 6; ranks++) {
        for (uint32_t mode = 0; mode < 4; mode++) {
            world w = make_world(design, ranks, COUNT);

            w.options.block_size = BLOCK;
            w.options.chunk_elements = mode % 2 ? 3 * BLOCK : 0;
            w.op = mode < 2 ? OPTINC_SUM : OPTINC_MEAN;
            w.in_place = mode == 1 || mode == 2;
            fill_inputs(&w, ranks);
            run_world_ok(&w);
            put_non_finite(&w);
            check_world(&w, finite);
            free_world(&w);
        }
    }
    optinc_design_destroy(&design);
}

/* With error feedback what is summed is gradient plus feedback, and nothing is carried on. */
static void feedback_of_non_finite_blocks(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint32_t in_place = 0; in_place < 2; in_place++) {
        world w = make_world(design, 3, 3 * BLOCK);

        w.options.block_size = BLOCK;
        w.op = OPTINC_SUM;
        w.feedback = true;
        w.in_place = in_place;
        for (uint32_t rank = 0; rank < w.ranks; rank++) {
            for (size_t i = 0; i < w.count; i++) {
                w.input[rank][i] = (float)(rank + i);
                w.residual[rank][i] = 0.25f;
            }
        }
        w.input[1][BLOCK + 9] = INFINITY;
        run_world_ok(&w);
        for (size_t i = BLOCK; i < 2 * BLOCK; i++) {
            float sum = (float)(3 + 3 * i) + 0.75f;

            if (i == BLOCK + 9)
                assert_true(isinf(w.output[0][i]) && w.output[0][i] > 0);
            else
                assert_true(w.output[0][i] == sum);
            for (uint32_t rank = 0; rank < w.ranks; rank++)
                assert_int_equal(float_bits(w.residual[rank][i]), 0);
        }
        free_world(&w);
    }
    optinc_design_destroy(&design);
}

/* The payload of a NaN does not depend on where it came from. */
static void nan_is_canonical(void **state)
{
    optinc_design *design = make_design(2, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, 2, 40);
    const uint32_t payload = 0xffc12345u;

    (void)state;
    memcpy(&w.input[0][3], &payload, sizeof payload);
    w.input[0][4] = INFINITY;
    w.input[1][4] = -INFINITY;
    run_world_ok(&w);
    assert_int_equal(float_bits(w.output[0][3]), 0x7fc00000u);
    assert_int_equal(float_bits(w.output[0][4]), 0x7fc00000u);
    free_world(&w);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(non_finite_blocks_are_float_sums),
        cmocka_unit_test(feedback_of_non_finite_blocks),
        cmocka_unit_test(nan_is_canonical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
