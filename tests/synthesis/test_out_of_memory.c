/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out while cascades are made, proved under faults and budgeted. */
#include "failing_memory.h"

#include "optinc/synthesis.h"

#include <stdlib.h>

static const optinc_cascade cascade = {.ports = {2, 2}, .level_count = 2, .bits = 2};

static optinc_status try_synthesise(void *user)
{
    const optinc_verify_options verify = {.thread_count = 1};
    optinc_design *design = (optinc_design *)1;
    optinc_status status = optinc_synthesise_cascade(&cascade, NULL, &verify, NULL, NULL, &design);

    (void)user;
    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, design != NULL);
    optinc_design_destroy(&design);
    return status;
}

static optinc_status try_train(void *user)
{
    optinc_train_result results[2];
    optinc_design *design = (optinc_design *)1;
    optinc_status status = optinc_train_cascade(&cascade, user, NULL, NULL, results, &design);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, design != NULL);
    optinc_design_destroy(&design);
    return status;
}

static optinc_status try_loss(void *user)
{
    optinc_rounding_loss loss;

    (void)user;
    return optinc_cascade_rounding_loss(&cascade, NULL, &loss);
}

static optinc_status try_faults(void *user)
{
    static const uint32_t dark[] = {1};
    const optinc_faults faults = {
        .dark_ports = dark, .dark_count = 1, .action = OPTINC_FAULT_RESCALE};
    const optinc_verify_options options = {.thread_count = 1, .sample_count = 100};
    optinc_fault_proof proof;

    return optinc_verify_faults(user, 4, &faults, &options, NULL, &proof);
}

static optinc_photonic_options lossy(void)
{
    optinc_photonic_options options = optinc_photonic_defaults();

    options.device.mzi_loss_db = 20; /* infeasible: all remedies are tried */
    return options;
}

static optinc_status try_budget(void *user)
{
    const optinc_photonic_options options = lossy();
    optinc_budget budget;
    optinc_status status = optinc_design_budget(user, &options, NULL, &budget);

    if (!status)
        assert_false(budget.feasible);
    return status;
}

static optinc_status try_remedies(void *user)
{
    const optinc_photonic_options options = lossy();
    optinc_remedies remedies;

    return optinc_design_remedies(user, &options, NULL, &remedies);
}

static optinc_status try_receivers(void *user)
{
    const optinc_unit *unit = optinc_design_unit(user, 0);
    optinc_receiver_budget receivers[256];
    optinc_layer_budget layers[16];
    optinc_status status = optinc_unit_receivers(unit, NULL, NULL, receivers);

    return status ? status : optinc_unit_budget(unit, NULL, NULL, layers);
}

static void every_allocation_may_fail(void **state)
{
    static const uint32_t below[] = {1, 4, 2}, above[] = {2, 4, 1};
    const optinc_verify_options verify = {.thread_count = 1};
    optinc_train_options train[2] = {optinc_train_options_default(),
                                     optinc_train_options_default()};
    optinc_design *design = NULL;

    (void)state;
    for (int level = 0; level < 2; level++) {
        train[level].layer_count = 2;
        train[level].sides = level ? above : below;
        train[level].epochs = train[level].squared_epochs = 1;
        train[level].cycles_max = 1;
        train[level].thread_count = 1;
    }
    each_allocation_may_fail("cascade", try_synthesise, NULL);
    each_allocation_may_fail("trained cascade", try_train, train);
    each_allocation_may_fail("rounding loss", try_loss, NULL);
    assert_int_equal(optinc_synthesise_cascade(&cascade, NULL, &verify, NULL, NULL, &design),
                     OPTINC_OK);
    each_allocation_may_fail("faults", try_faults, design);
    each_allocation_may_fail("budget", try_budget, design);
    each_allocation_may_fail("remedies", try_remedies, design);
    each_allocation_may_fail("receivers", try_receivers, design);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
