/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out while an ONN is constructed, verified, tabulated, trained or run. */
#include "failing_memory.h"
#include "train_common.h"

typedef struct setting {
    const optinc_design *design;
    optinc_spec spec;
    optinc_construct_options construct;
    optinc_verify_options verify;
    optinc_train_options train;
    char path[64];
} setting;

static optinc_status try_construct(void *user)
{
    const setting *s = user;
    optinc_design *design = (optinc_design *)1;
    optinc_status status = optinc_construct(&s->spec, &s->construct, NULL, &design);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, design != NULL);
    optinc_design_destroy(&design);
    return status;
}

static optinc_status try_verify(void *user)
{
    const setting *s = user;
    optinc_verify_result result;
    optinc_status status = optinc_verify(s->design, 0, &s->verify, NULL, NULL, &result);

    allocations_left = NEVER;
    if (s->verify.checkpoint)
        remove(s->verify.checkpoint);
    return status;
}

static optinc_status try_tabulate(void *user)
{
    const setting *s = user;
    uint32_t *table = (uint32_t *)1;
    size_t count;
    optinc_status status = optinc_tabulate(s->design, 0, 1u << 20, NULL, NULL, &table, &count);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, table != NULL);
    optinc_table_free(&table);
    return status;
}

static optinc_status try_train(void *user)
{
    const setting *s = user;
    optinc_design *design = (optinc_design *)1;
    optinc_status status = optinc_train(&s->spec, &s->train, NULL, NULL, NULL, &design);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, design != NULL);
    optinc_design_destroy(&design);
    if (s->train.checkpoint && !s->train.resume)
        remove(s->train.checkpoint);
    return status;
}

static optinc_status try_inject(void *user)
{
    const setting *s = user;
    const size_t left = allocations_left;
    optinc_design *design = NULL;
    optinc_status status;

    allocations_left = NEVER;
    assert_int_equal(optinc_construct(&s->spec, NULL, NULL, &design), OPTINC_OK);
    allocations_left = left;
    status = optinc_design_inject_errors(design, 0, 0.1, NULL, 1, NULL, NULL);
    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, optinc_design_unit(design, 0)->table != NULL);
    optinc_design_destroy(&design);
    return status;
}

static optinc_status try_switch(void *user)
{
    const setting *s = user;
    optinc_switch *sw = (optinc_switch *)1;
    optinc_status status = optinc_switch_create(s->design, optinc_backend_onn(), NULL, NULL, &sw);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, sw != NULL);
    optinc_switch_destroy(&sw);
    return status;
}

static void constructed(void **state)
{
    setting s = {.spec = small_spec(), .verify = {.thread_count = 1}};
    optinc_design *design = NULL;

    (void)state;
    for (int activation = 1; activation <= 2; activation++) {
        s.construct.activation = (optinc_activation)activation;
        each_allocation_may_fail("construct", try_construct, &s);
        assert_int_equal(optinc_construct(&s.spec, &s.construct, NULL, &design), OPTINC_OK);
        s.design = design;
        each_allocation_may_fail("verify", try_verify, &s);
        each_allocation_may_fail("tabulate", try_tabulate, &s);
        each_allocation_may_fail("backend onn", try_switch, &s);
        optinc_design_destroy(&design);
    }
    each_allocation_may_fail("inject errors", try_inject, &s);
}

/* Of a unit that no composition proves: exhaustive, with a checkpoint, and by samples. */
static void verified(void **state)
{
    setting s = {.spec = small_spec(), .verify = {.thread_count = 1}};
    optinc_train_options options = small_options();
    optinc_train_result result;
    optinc_design *design;

    (void)state;
    options.epochs = 2;
    options.cycles_max = 1;
    design = train_small(&options, &result);
    s.design = design;
    name_file(s.path, sizeof s.path, "memory");
    each_allocation_may_fail("exhaustive", try_verify, &s);
    s.verify.checkpoint = s.path;
    each_allocation_may_fail("checkpoint", try_verify, &s);
    s.verify.exhaustive_cases_max = 1;
    s.verify.sample_count = 100;
    each_allocation_may_fail("sampled", try_verify, &s);
    optinc_design_destroy(&design);
}

static void trained(void **state)
{
    static const uint32_t sides[] = {2, 4, 2};
    setting s = {.spec = small_spec(), .train = small_options()};

    (void)state;
    s.train.layer_count = 2;
    s.train.sides = sides;
    s.train.epochs = 2;
    s.train.squared_epochs = 1;
    s.train.cycles_max = 1;
    each_allocation_may_fail("train", try_train, &s);
    name_file(s.path, sizeof s.path, "memory");
    s.train.checkpoint = s.path;
    s.train.segment_training = OPTINC_SEGMENT_PROJECT;
    s.train.supervision = OPTINC_SUPERVISION_CARRIES;
    each_allocation_may_fail("project, carries, checkpoint", try_train, &s);
    s.train.epoch_cases = 24;
    s.train.hard_cases = 8;
    s.train.unit_noise = s.train.phase_noise_rad = 0.01;
    s.train.start = OPTINC_TRAIN_START_AXES;
    s.train.segment_training = OPTINC_SEGMENT_TANGENT;
    each_allocation_may_fail("hard cases, noise, axes", try_train, &s);
    s.train.verify_cases_max = 1;
    s.train.verify_samples = 100;
    each_allocation_may_fail("sampled", try_train, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constructed),
        cmocka_unit_test(verified),
        cmocka_unit_test(trained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
