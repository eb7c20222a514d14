/* SPDX-License-Identifier: Apache-2.0 */
/* Hard cases of sampled training: the pool is the worst of an epoch by an independent sort, its
 * neighbours differ in one input, and runs with it repeat to the bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "onn/train_internal.h"

#define EPOCH_CASES 200u
#define HARD 12u

static const uint32_t sides[3] = {3, 12, 3};

static optinc_train_options sampled(void)
{
    optinc_train_options options = optinc_train_options_default();

    options.layer_count = 2;
    options.sides = sides;
    options.batch_size = 64;
    options.epochs = 12;
    options.cycles_max = 1;
    options.squared_epochs = 2;
    options.epoch_cases = EPOCH_CASES;
    options.hard_cases = HARD;
    return options;
}

/* N=4, B=6: 2,197 cases of 13 values a digit */
static optinc_spec spec_of(void)
{
    optinc_spec spec;

    assert_int_equal(optinc_spec_single(4, 6, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    return spec;
}

static uint64_t index_of(const float *value)
{
    return (uint64_t)value[0] + 13 * (uint64_t)value[1] + 169 * (uint64_t)value[2];
}

/* How many inputs of two cases differ. */
static int distance(uint64_t a, uint64_t b)
{
    int count = 0;

    for (int i = 0; i < 3; i++, a /= 13, b /= 13)
        count += a % 13 != b % 13;
    return count;
}

static void test_pool(void **state)
{
    optinc_train_options options = sampled();
    optinc_spec spec = spec_of();
    oi_train_plan plan;
    oi_trainer trainer = {.plan = &plan};
    bool seen[2197] = {false};
    float least = INFINITY;

    (void)state;
    assert_int_equal(oi_train_plan_create(&spec, &options, NULL, &plan), OPTINC_OK);
    assert_int_equal(oi_trainer_create(&trainer), OPTINC_OK);
    for (uint32_t j = 0; j < HARD; j++)
        assert_true(index_of(trainer.state.hard + 3 * (size_t)j) < 2197);
    trainer.order_count = EPOCH_CASES;
    for (uint32_t i = 0; i < EPOCH_CASES; i++) {
        trainer.order[i] = (i * 389u) % 2197u;
        trainer.order_error[i] = (float)((i * 71u) % 199u) / 100.0f;
    }
    /* a case met twice counts once, by its worst; one that was not met does not count */
    trainer.order[7] = trainer.order[3];
    trainer.order_error[3] = 5.0f;
    trainer.order_error[7] = 6.0f;
    trainer.order_error[9] = -1.0f;
    assert_int_equal(oi_train_hard_keep(&trainer), OPTINC_OK);
    for (uint32_t j = 0; j < HARD; j++) {
        uint64_t index = index_of(trainer.state.hard + 3 * (size_t)j);
        float error = -1.0f;

        assert_true(index < 2197 && !seen[index]);
        seen[index] = true;
        for (uint32_t i = 0; i < EPOCH_CASES; i++)
            if (trainer.order[i] == index && trainer.order_error[i] > error)
                error = trainer.order_error[i];
        assert_true(error >= 0.0f);
        least = error < least ? error : least;
    }
    assert_true(seen[trainer.order[3]]);
    for (uint32_t i = 0; i < EPOCH_CASES; i++)
        if (!seen[trainer.order[i]])
            assert_true(trainer.order_error[i] <= least);

    /* without order: the pool itself, then its neighbours */
    oi_train_hard_order(&trainer);
    for (uint32_t j = 0; j < HARD; j++) {
        assert_int_equal(trainer.order[j], index_of(trainer.state.hard + 3 * (size_t)j));
        assert_true(distance(trainer.order[j], trainer.order[HARD + j]) <= 1);
    }
    /* only after the squared error does an epoch hold them */
    for (uint64_t epoch = 0; epoch < 4; epoch++) {
        uint32_t met = 0;

        trainer.state.epoch = epoch;
        oi_train_order(&trainer);
        assert_int_equal(trainer.order_count, EPOCH_CASES);
        for (uint32_t j = 0; j < HARD; j++) {
            uint64_t index = index_of(trainer.state.hard + 3 * (size_t)j);
            bool there = false;

            for (uint32_t i = 0; i < EPOCH_CASES; i++)
                there = there || trainer.order[i] == index;
            met += there;
        }
        assert_true(epoch < 2 ? met < HARD : met == HARD);
    }
    oi_trainer_destroy(&trainer);
    oi_train_plan_destroy(&plan);
}

static bool stop_at_seven(void *user, const optinc_train_report *report)
{
    (void)user;
    return report->epoch < 7;
}

static uint64_t checksum_of(const optinc_train_options *options, const optinc_train_watch *watch,
                            optinc_status expected)
{
    optinc_spec spec = spec_of();
    optinc_train_result result;
    optinc_design *design = NULL;
    uint64_t checksum = 0;

    assert_int_equal(optinc_train(&spec, options, watch, NULL, &result, &design), expected);
    if (design)
        checksum = optinc_design_checksum(design);
    optinc_design_destroy(&design);
    return checksum;
}

static void test_same_bits(void **state)
{
    optinc_train_options options = sampled();
    const optinc_train_watch watch = {stop_at_seven, NULL};
    char path[64];
    uint64_t whole, without;

    (void)state;
    snprintf(path, sizeof path, "test_train_hard.%ld.checkpoint", (long)getpid());
    options.thread_count = 1;
    whole = checksum_of(&options, NULL, OPTINC_OK);
    options.thread_count = 3;
    assert_true(checksum_of(&options, NULL, OPTINC_OK) == whole);
    options.hard_cases = 0;
    without = checksum_of(&options, NULL, OPTINC_OK);
    assert_true(without != whole);
    options.hard_cases = HARD;
    options.checkpoint = path;
    checksum_of(&options, &watch, OPTINC_ERR_INTERRUPTED);
    options.resume = true;
    options.hard_cases = HARD + 1; /* of another run */
    checksum_of(&options, NULL, OPTINC_ERR_INVALID_ARGUMENT);
    options.hard_cases = HARD;
    assert_true(checksum_of(&options, NULL, OPTINC_OK) == whole);
    remove(path);
}

static void test_bad_options(void **state)
{
    optinc_train_options options = sampled();

    (void)state;
    options.hard_cases = EPOCH_CASES / 2 + 1;
    checksum_of(&options, NULL, OPTINC_ERR_INVALID_ARGUMENT);
    options.hard_cases = 1;
    options.epoch_cases = 0; /* all of them */
    checksum_of(&options, NULL, OPTINC_ERR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_bad_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
