/* SPDX-License-Identifier: Apache-2.0 */
/* Turned signs. Codes are symmetric about zero, so an all-reduce that turns signs is one of turned
 * inputs (and carried errors), its result (and what it carries) turned back: exactly, but
 * for the sign of a zero. Blocks that are reduced in float are not turned. */
#include "collective/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANKS 3u
#define COUNT 70001u /* more than a piece, and odd */
#define BLOCK 256u

static bool is_turned(optinc_turn turn, size_t i)
{
    return turn == OPTINC_TURN_EVEN ? i % 2 == 0 : turn == OPTINC_TURN_ODD && i % 2 == 1;
}

static void turn_all(optinc_turn turn, float **x)
{
    for (uint32_t rank = 0; rank < RANKS; rank++)
        for (size_t i = 0; i < COUNT; i++)
            if (is_turned(turn, i))
                x[rank][i] = -x[rank][i];
}

static void assert_same_values(const float *a, const float *b)
{
    for (size_t i = 0; i < COUNT; i++)
        if (!(a[i] == b[i]))
            fail_msg("element %zu: %a and %a", i, (double)a[i], (double)b[i]);
}

static world filled(const optinc_design *design, bool feedback, bool in_place, bool stochastic)
{
    world w = make_world(design, RANKS, COUNT);

    fill_inputs(&w, 21);
    for (uint32_t rank = 0; rank < RANKS; rank++)
        for (size_t i = 0; i < COUNT; i++)
            w.residual[rank][i] = ldexpf((float)((i + rank) % 64), -10);
    w.feedback = feedback;
    w.in_place = in_place;
    w.op = OPTINC_MEAN;
    w.step = 5;
    w.options.block_size = BLOCK;
    w.options.rounding = stochastic ? OPTINC_ROUND_STOCHASTIC : OPTINC_ROUND_NEAREST;
    w.options.seed = 77;
    return w;
}

static void equals_turned_inputs(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (unsigned way = 0; way < 16; way++) {
        bool feedback = way & 1, in_place = way & 2, stochastic = way & 4;
        optinc_turn turn = way & 8 ? OPTINC_TURN_ODD : OPTINC_TURN_EVEN;
        world found = filled(design, feedback, in_place, stochastic);
        world wanted = filled(design, feedback, in_place, stochastic);

        found.turn = turn;
        run_world_ok(&found);
        turn_all(turn, wanted.input);
        turn_all(turn, wanted.residual);
        run_world_ok(&wanted);
        turn_all(turn, wanted.output);
        turn_all(turn, wanted.residual);
        assert_same_values(found.output[0], wanted.output[0]);
        for (uint32_t rank = 0; rank < RANKS; rank++)
            assert_same_values(found.residual[rank], wanted.residual[rank]);
        assert_true(found.report[0].error_bound_max == wanted.report[0].error_bound_max);
        free_world(&found);
        free_world(&wanted);
    }
    optinc_design_destroy(&design);
}

/* Sums of halves are half up's ties: 1 code on one of 4 ports rounds to 0, turned -1 to -0 and 2 of
 * them to 1, turned to 0, so odd and even elements show which of them was turned. */
static void rounds_the_other_way(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (int turn = OPTINC_TURN_NONE; turn <= OPTINC_TURN_ODD; turn++) {
        world w = make_world(design, RANKS, COUNT);

        w.op = OPTINC_SUM;
        w.turn = (optinc_turn)turn;
        for (size_t i = 0; i < COUNT; i++) {
            w.input[0][i] = i % 256 < 2 ? 127.0f : 1.0f;
            w.input[1][i] = 1.0f;
        }
        run_world_ok(&w);
        for (size_t i = 2; i < 256; i++)
            assert_true(w.output[0][i] == (is_turned(w.turn, i) ? 0.0f : 4.0f));
        free_world(&w);
    }
    optinc_design_destroy(&design);
}

static void float_blocks_stay(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        world w = filled(design, way & 1, way & 2, false);
        size_t first = 3 * BLOCK;

        w.turn = OPTINC_TURN_ODD;
        w.op = OPTINC_SUM;
        for (size_t i = first; i < first + BLOCK; i++)
            for (uint32_t rank = 0; rank < RANKS; rank++) {
                w.input[rank][i] = (float)i + (float)rank;
                w.residual[rank][i] = 0.0f;
            }
        w.input[1][first + 10] = INFINITY;
        w.input[2][first + 11] = -INFINITY;
        run_world_ok(&w);
        for (size_t i = first; i < first + BLOCK; i++) {
            float sum = 0.0f;

            for (uint32_t rank = 0; rank < RANKS; rank++)
                sum += w.input[rank][i];
            assert_true(w.output[0][i] == sum);
        }
        assert_int_equal(w.report[0].blocks_non_finite, 1);
        free_world(&w);
    }
    optinc_design_destroy(&design);
}

static void differing(void *user, uint32_t rank, const optinc_transport *transport)
{
    world *w = user;
    optinc_collective *collective = NULL;
    const optinc_allreduce_args args = {
        .input = w->input[rank],
        .output = w->output[rank],
        .count = COUNT,
        .op = OPTINC_SUM,
        .turn = rank == 1 ? w->turn : OPTINC_TURN_EVEN,
    };

    w->status[rank] =
        optinc_collective_create(transport, w->design, &w->options, NULL, &collective);
    if (w->status[rank] == OPTINC_OK)
        w->status[rank] = optinc_allreduce(collective, &args, NULL);
    optinc_collective_destroy(&collective);
}

/* Ranks that turn other elements, or what is no turn, are refused on all ranks. */
static void checks_turn(void **state)
{
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);
    world w = make_world(design, RANKS, COUNT);

    (void)state;
    w.turn = OPTINC_TURN_ODD;
    thread_hub_run(w.hub, differing, &w);
    for (uint32_t rank = 0; rank < RANKS; rank++)
        assert_int_equal(w.status[rank], OPTINC_ERR_MISMATCH);
    w.turn = (optinc_turn)3;
    thread_hub_run(w.hub, differing, &w);
    for (uint32_t rank = 0; rank < RANKS; rank++)
        assert_int_equal(w.status[rank], OPTINC_ERR_INVALID_ARGUMENT);
    free_world(&w);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_turned_inputs),
        cmocka_unit_test(rounds_the_other_way),
        cmocka_unit_test(float_blocks_stay),
        cmocka_unit_test(checks_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
