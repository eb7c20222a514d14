/* SPDX-License-Identifier: Apache-2.0 */
/* What rounding below costs, against every code vector rounded in the test; and the proof of designs
 * under faults, with a design that is right and one that is not. */
#include "optinc/synthesis.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The tree of rounding switches, by its definition. */
static uint64_t round_tree(const optinc_cascade *cascade, const uint32_t *codes)
{
    uint64_t values[64], count = 1;

    for (uint32_t level = 0; level < cascade->level_count; level++)
        count *= cascade->ports[level];
    for (uint64_t i = 0; i < count; i++)
        values[i] = codes[i];
    for (uint32_t level = 0; level < cascade->level_count; level++) {
        uint32_t ports = cascade->ports[level];

        count /= ports;
        for (uint64_t i = 0; i < count; i++) {
            uint64_t total = 0;

            for (uint32_t port = 0; port < ports; port++)
                total += values[i * ports + port];
            values[i] = (total + ports / 2) / ports;
        }
    }
    return values[0];
}

/* All vectors of codes 0 .. code_count-1. code_count is a multiple of the servers: more of them would
 * repeat the same errors, as adding the number of servers to a code adds 1 to either result. */
static void check_loss(const optinc_cascade *cascade, uint32_t servers, uint32_t code_count)
{
    uint32_t codes[64] = {0};
    double wrong = 0, mean = 0, low = 0, high = 0, bias = 0, flat_bias = 0, rms = 0, flat_rms = 0;
    double vectors = 0;
    optinc_rounding_loss loss;

    for (bool done = false; !done; vectors++) {
        uint64_t total = 0, r = round_tree(cascade, codes), flat;
        double off, exact;

        for (uint32_t i = 0; i < servers; i++)
            total += codes[i];
        flat = (total + servers / 2) / servers;
        off = (double)r - (double)flat;
        exact = (double)total / servers;
        wrong += off != 0;
        mean += off;
        low = fmin(low, off);
        high = fmax(high, off);
        bias += (double)r - exact;
        flat_bias += (double)flat - exact;
        rms += pow((double)r - exact, 2);
        flat_rms += pow((double)flat - exact, 2);
        done = true;
        for (uint32_t i = 0; i < servers && done; i++) {
            codes[i] = (codes[i] + 1) % code_count;
            done = codes[i] == 0;
        }
    }
    assert_int_equal(optinc_cascade_rounding_loss(cascade, NULL, &loss), OPTINC_OK);
    assert_true(fabs(loss.wrong - wrong / vectors) <= 1e-9);
    assert_true(fabs(loss.mean - mean / vectors) <= 1e-9);
    assert_true(fabs(loss.bias - bias / vectors) <= 1e-9);
    assert_true(fabs(loss.bias_flat - flat_bias / vectors) <= 1e-9);
    assert_true(fabs(loss.rms - sqrt(rms / vectors)) <= 1e-9);
    assert_true(fabs(loss.rms_flat - sqrt(flat_rms / vectors)) <= 1e-9);
    assert_true(loss.off_min == low && loss.off_max == high);
}

static void test_loss(void **state)
{
    const optinc_cascade pairs = {.ports = {2, 2}, .level_count = 2, .bits = 4};
    const optinc_cascade small = {.ports = {2, 2}, .level_count = 2, .bits = 2};
    const optinc_cascade deep = {.ports = {2, 2, 2}, .level_count = 3, .bits = 4};
    const optinc_cascade wide = {.ports = {2, 4}, .level_count = 2, .bits = 4};
    const optinc_cascade one = {.ports = {4}, .level_count = 1, .bits = 4};

    (void)state;
    check_loss(&small, 4, 4);
    check_loss(&pairs, 4, 16);
    check_loss(&deep, 8, 8);
    check_loss(&wide, 8, 8);
    check_loss(&one, 4, 16);
}

/* 16 servers by hand: four terms of -1, 0, 1, 2 and one of -4, 0, 4, 8. 226 of the 1,024 sums are
 * above 8 or below -7. */
static void test_loss_of_16_servers(void **state)
{
    const optinc_cascade cascade = {.ports = {4, 4}, .level_count = 2, .bits = 8};
    optinc_rounding_loss loss;

    (void)state;
    assert_int_equal(optinc_cascade_rounding_loss(&cascade, NULL, &loss), OPTINC_OK);
    assert_true(fabs(loss.wrong - 226.0 / 1024) <= 1e-15);
    assert_true(fabs(loss.mean - 224.0 / 1024) <= 1e-15);
    assert_true(fabs(loss.bias - 0.25) <= 1e-15);
}

static void test_loss_refusals(void **state)
{
    optinc_cascade cascade = {.ports = {4, 4, 4, 4, 4}, .level_count = 5, .bits = 8};
    optinc_rounding_loss loss;

    (void)state;
    assert_int_equal(optinc_cascade_rounding_loss(&cascade, NULL, &loss), OPTINC_ERR_OVERFLOW);
    cascade.bits = 32;
    cascade.level_count = 7;
    cascade.ports[5] = cascade.ports[6] = 4;
    assert_int_equal(optinc_cascade_rounding_loss(&cascade, NULL, &loss), OPTINC_ERR_OVERFLOW);
    cascade.level_count = 2;
    cascade.variant = OPTINC_VARIANT_STOCHASTIC;
    assert_int_equal(optinc_cascade_rounding_loss(&cascade, NULL, &loss), OPTINC_ERR_UNSUPPORTED);
    cascade.variant = OPTINC_VARIANT_HALF_UP;
    cascade.ports[0] = 3;
    assert_int_equal(optinc_cascade_rounding_loss(&cascade, NULL, &loss),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_cascade_rounding_loss(NULL, NULL, &loss), OPTINC_ERR_INVALID_ARGUMENT);
}

static optinc_design *make(const optinc_cascade *cascade)
{
    optinc_design *design = NULL;

    assert_int_equal(optinc_synthesise_cascade(cascade, NULL, NULL, NULL, NULL, &design),
                     OPTINC_OK);
    return design;
}

/* Cases: an input that is gone leaves digit sums 0 .. 9 of four digits; a failed switch below leaves
 * the one above ten values of five digits. */
static void test_proof(void **state)
{
    const optinc_cascade cascade = {.ports = {4, 4}, .level_count = 2, .bits = 8};
    const uint32_t port[] = {6};
    const optinc_place failed = {0, 3};
    const optinc_verify_options options = {.thread_count = 1, .seed = 3};
    optinc_faults f = {.dark_ports = port, .dark_count = 1};
    optinc_design *design = make(&cascade);
    optinc_fault_proof proof;

    (void)state;
    for (int action = OPTINC_FAULT_UNDETECTED; action <= OPTINC_FAULT_RESCALE; action += 2) {
        f.action = (optinc_fault_action)action;
        f.failed_count = 0;
        assert_int_equal(optinc_verify_faults(design, 16, &f, &options, NULL, &proof), OPTINC_OK);
        assert_true(proof.exact);
        assert_int_equal(proof.kinds, 1);
        assert_int_equal(proof.units.kind, OPTINC_PROOF_EXHAUSTIVE);
        assert_int_equal(proof.units.cases, 10000);
        assert_int_equal(proof.effect.dark, action == OPTINC_FAULT_UNDETECTED);
        f.failed = &failed;
        f.failed_count = 1;
        assert_int_equal(optinc_verify_faults(design, 16, &f, &options, NULL, &proof), OPTINC_OK);
        assert_true(proof.exact);
        assert_int_equal(proof.kinds, 2);
        assert_int_equal(proof.units.cases, 10000 + 100000);
        assert_int_equal(proof.elements_wrong, 0);
    }
    /* too many cases: the levels' own proofs hold them */
    assert_int_equal(optinc_verify_faults(
                         design, 16, &f,
                         &(optinc_verify_options){.thread_count = 1, .exhaustive_cases_max = 20000},
                         NULL, &proof),
                     OPTINC_OK);
    assert_true(proof.exact);
    assert_int_equal(proof.units.kind, OPTINC_PROOF_COMPOSITIONAL);
    assert_int_equal(proof.units.cases, 10000);
    f.action = OPTINC_FAULT_ERROR;
    assert_int_equal(optinc_verify_faults(design, 16, &f, &options, NULL, &proof),
                     OPTINC_ERR_UNSUPPORTED);
    assert_int_equal(optinc_verify_faults(design, 16, NULL, &options, NULL, &proof),
                     OPTINC_ERR_INVALID_ARGUMENT);
    optinc_design_destroy(&design);
}

/* A switch that is wrong in the cases that the faults leave is found out, whatever its proof says. */
static void test_wrong_design(void **state)
{
    const optinc_cascade cascade = {.ports = {2, 2}, .level_count = 2, .bits = 4};
    const uint32_t port[] = {1};
    const optinc_faults f = {.dark_ports = port, .dark_count = 1, .action = OPTINC_FAULT_RESCALE};
    optinc_design *design = make(&cascade), *bent = NULL;
    optinc_unit units[2];
    optinc_layer layers[OPTINC_LAYERS_MAX];
    double bias[OPTINC_LAYER_SIDE_MAX];
    optinc_fault_proof proof;

    (void)state;
    for (uint32_t level = 0; level < 2; level++)
        units[level] = *optinc_design_unit(design, level);
    memcpy(layers, units[0].layers, units[0].layer_count * sizeof *layers);
    memcpy(bias, layers[units[0].layer_count - 1].bias,
           layers[units[0].layer_count - 1].rows * sizeof *bias);
    bias[0] += 0.7; /* the lowest digit of every result */
    layers[units[0].layer_count - 1].bias = bias;
    units[0].layers = layers;
    assert_int_equal(optinc_design_create(units, 2, NULL, &bent), OPTINC_OK);
    assert_true(optinc_design_exact(bent));
    assert_int_equal(optinc_verify_faults(bent, 4, &f, NULL, NULL, &proof), OPTINC_OK);
    assert_false(proof.exact);
    assert_true(proof.units.errors > 0);
    assert_true(proof.elements_wrong > 0);
    assert_int_equal(optinc_verify_faults(design, 4, &f, NULL, NULL, &proof), OPTINC_OK);
    assert_true(proof.exact);
    optinc_design_destroy(&bent);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss),          cmocka_unit_test(test_loss_of_16_servers),
        cmocka_unit_test(test_loss_refusals), cmocka_unit_test(test_proof),
        cmocka_unit_test(test_wrong_design),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
