/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out in a collective of one rank: while it is made, and at the first call of a size,
 * which takes the lanes. Identity beside the usual: a call that fails so leaves the outputs as they
 * were, and the object goes on. */
#include "collective/fixture.h"
#include "failing_memory.h"

#include <math.h>
#include <string.h>

#define COUNT 3000u
#define POISON 0x7fa5a5a5u

static optinc_status alltoall(void *user, uint32_t slot, const void *send, void *receive,
                              size_t bytes)
{
    (void)user;
    (void)slot;
    memcpy(receive, send, bytes);
    return OPTINC_OK;
}

static optinc_status max(void *user, uint32_t slot, uint8_t *data, size_t bytes)
{
    (void)user;
    (void)slot;
    (void)data;
    (void)bytes;
    return OPTINC_OK;
}

static optinc_status wait(void *user, uint32_t slot)
{
    (void)user;
    (void)slot;
    return OPTINC_OK;
}

static const optinc_transport alone = {.size = 1,
                                       .start_alltoall = alltoall,
                                       .start_allgather = alltoall,
                                       .start_max = max,
                                       .wait = wait};

typedef struct setting {
    const optinc_design *design;
    optinc_collective_options options;
    bool scattered;
    bool feedback;
} setting;

static optinc_status try_create(void *user)
{
    const setting *s = user;
    optinc_collective *c = (optinc_collective *)1;
    optinc_status status = optinc_collective_create(&alone, s->design, &s->options, NULL, &c);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, c != NULL);
    optinc_collective_destroy(&c);
    return status;
}

static optinc_status reduce(const setting *s, optinc_collective *c, const float *x, float *y,
                            float *kept)
{
    optinc_allreduce_args all = {.input = x, .output = y, .count = COUNT};
    optinc_reduce_scatter_args part = {.input = x, .output = y, .count = COUNT};

    all.error_feedback = s->feedback ? kept : NULL;
    return s->scattered ? optinc_reduce_scatter(c, &part, NULL) : optinc_allreduce(c, &all, NULL);
}

static optinc_status try_reduce(void *user)
{
    const setting *s = user;
    static float x[COUNT], y[COUNT], kept[COUNT];
    const size_t left = allocations_left;
    optinc_collective *c = NULL;
    optinc_status status;

    for (uint32_t i = 0; i < COUNT; i++) {
        const uint32_t poison = POISON;

        x[i] = i == 700 ? INFINITY : 3.0f; /* a block in float as well */
        memcpy(&y[i], &poison, sizeof poison);
        kept[i] = 0.5f;
    }
    allocations_left = NEVER;
    assert_int_equal(optinc_collective_create(&alone, s->design, &s->options, NULL, &c), OPTINC_OK);
    allocations_left = left;
    status = reduce(s, c, x, y, kept);
    allocations_left = NEVER;
    for (uint32_t i = 0; i < COUNT && status != OPTINC_OK; i++) {
        assert_int_equal(float_bits(y[i]), POISON);
        assert_true(kept[i] == 0.5f);
    }
    assert_int_equal(reduce(s, c, x, y, kept), OPTINC_OK);
    assert_true(y[700] == INFINITY);
    assert_true(s->feedback || y[2999] == 3.0f);
    optinc_collective_destroy(&c);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    static const uint32_t left[] = {3};
    static const optinc_faults faults = {.left_ports = left, .left_count = 1};
    optinc_design *design = make_design(4, 8, 1, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        setting s = {.design = design,
                     .options = {.faults = kind & 1 ? &faults : NULL, .chunk_elements = 1024},
                     .scattered = kind / 2 & 1,
                     .feedback = kind / 4};

        each_allocation_may_fail("create", try_create, &s);
        each_allocation_may_fail(s.scattered ? "reduce-scatter" : "all-reduce", try_reduce, &s);
    }
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
