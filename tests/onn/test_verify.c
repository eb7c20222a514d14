/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: constructed units are exact (test_construct). Identities: both proofs say so and
 * agree on the margin that the equations give; whatever weight is changed, the compositional proof
 * never calls exact what plain exhaustion shows wrong. */
#include "verify_common.h"

static const optinc_activation activations[] = {OPTINC_ACTIVATION_SATURATING,
                                                OPTINC_ACTIVATION_RELU};

static void test_4_ports_8_bits(void **state)
{
    const double gaps[] = {0.1, 0.3, 0.5, 0.9};
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint32_t a = 0; a < 2; a++)
        for (uint32_t i = 0; i < 4; i++) {
            optinc_design *design = construct(&spec, activations[a], gaps[i]);
            optinc_verify_result result = verify(design, NULL);

            assert_int_equal(result.exhaustive.kind, OPTINC_PROOF_EXHAUSTIVE);
            assert_true(result.exhaustive.exact);
            assert_int_equal(result.exhaustive.cases, 28561);
            assert_int_equal(result.exhaustive.errors, 0);
            assert_true(fabs(result.exhaustive.margin_min - 0.5) <= 1e-12);
            assert_int_equal(result.compositional.kind, OPTINC_PROOF_COMPOSITIONAL);
            assert_true(result.compositional.exact);
            assert_int_equal(result.compositional.errors, 0);
            assert_true(result.compositional.cases > 0 && result.compositional.cases < 3000);
            /* a step leaves its ends (1-g)/2 from an integer (docs/proofs.md) */
            assert_true(fabs(result.compositional.margin_min - (1 - gaps[i]) / 2) <= 1e-8);
            assert_int_equal(result.sampled.kind, OPTINC_PROOF_NONE);
            assert_int_equal(result.best.kind, OPTINC_PROOF_EXHAUSTIVE);
            assert_true(result.best.exact);
            assert_true(result.best.margin_min == result.compositional.margin_min);
            for (uint32_t j = 0; j < 32; j++)
                assert_int_equal(result.digit_errors[j], 0);
            optinc_design_destroy(&design);
        }
}

static void check_compositional(const optinc_spec *spec)
{
    const optinc_verify_options options = {.exhaustive_cases_max = 1};

    for (uint32_t a = 0; a < 2; a++) {
        optinc_design *design = construct(spec, activations[a], 0.5);
        optinc_verify_result result = verify(design, &options);

        if (!result.compositional.exact)
            fail_msg("N=%u B=%u variant %d activation %u: not proved", spec->ports, spec->bits_in,
                     (int)spec->variant, a);
        assert_true(fabs(result.compositional.margin_min - 0.25) <= 1e-4);
        assert_int_equal(result.exhaustive.kind, OPTINC_PROOF_NONE);
        assert_int_equal(result.sampled.kind, OPTINC_PROOF_NONE);
        assert_int_equal(result.best.kind, OPTINC_PROOF_COMPOSITIONAL);
        optinc_design_destroy(&design);
    }
}

static void test_every_server_and_bit_count(void **state)
{
    const uint32_t some_bits[] = {2, 8, 14, 32};

    (void)state;
    for (uint32_t ports = 2; ports <= 64; ports *= 2) {
        for (uint32_t bits = 2; bits <= 32; bits += 2) {
            optinc_spec spec = single(ports, bits, OPTINC_VARIANT_HALF_UP);

            check_compositional(&spec);
        }
        for (uint32_t i = 0; i < 4; i++)
            for (int v = 1; v < 3; v++) {
                optinc_spec spec = single(ports, some_bits[i], (optinc_variant)v);

                check_compositional(&spec);
            }
    }
}

static void test_cascade_tops(void **state)
{
    const struct {
        uint32_t ports, bits, bits_in, divisor_log2;
    } tops[] = {{4, 8, 10, 4},    {4, 8, 18, 12}, {8, 8, 10, 5},   {4, 8, 12, 5},
                {2, 2, 4, 2},     {64, 2, 8, 12}, {4, 32, 44, 14}, {32, 26, 48, 24},
                {64, 16, 36, 24}, {2, 8, 14, 4},  {64, 2, 20, 24}};

    (void)state;
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
        for (int v = 0; v < 2; v++) {
            optinc_spec spec = {.ports = tops[i].ports,
                                .bits_in = tops[i].bits_in,
                                .bits_out = tops[i].bits,
                                .divisor_log2 = tops[i].divisor_log2,
                                .variant = (optinc_variant)v};

            check_compositional(&spec);
        }
}

/* Cases that a top switch cannot be sent are left out, in exhaustion as well. */
static void test_exhaustion_of_a_cascade_top(void **state)
{
    optinc_spec spec = {.ports = 4, .bits_in = 6, .bits_out = 4, .divisor_log2 = 4};
    uint64_t cases = 0;
    uint32_t sums[3];

    (void)state;
    for (sums[0] = 0; sums[0] <= 12; sums[0]++)
        for (sums[1] = 0; sums[1] <= 12; sums[1]++)
            for (sums[2] = 0; sums[2] <= 12; sums[2]++)
                cases += oracle_result(sums, 3, 8, 16) < 16;
    assert_true(cases < 2197);
    for (uint32_t a = 0; a < 2; a++) {
        optinc_design *design = construct(&spec, activations[a], 0);
        optinc_verify_result result = verify(design, NULL);

        assert_true(result.exhaustive.exact);
        assert_int_equal(result.exhaustive.cases, cases);
        assert_true(result.compositional.exact);
        optinc_design_destroy(&design);
    }
}

static void test_exhaustion_of_stochastic_rounding(void **state)
{
    optinc_spec spec = single(8, 4, OPTINC_VARIANT_STOCHASTIC);
    optinc_design *design = construct(&spec, OPTINC_ACTIVATION_SATURATING, 0);
    optinc_verify_result result = verify(design, NULL);

    (void)state;
    assert_true(result.exhaustive.exact);
    assert_int_equal(result.exhaustive.cases, 25 * 25 * 8);
    assert_true(result.compositional.exact);
    optinc_design_destroy(&design);
}

/* Cases with a wrong digit, by the oracle alone. */
static uint64_t count_errors(const optinc_unit *unit)
{
    uint32_t sum_max = 3 * unit->spec.ports, digits = unit->spec.bits_in / 2;
    uint64_t divisor = (uint64_t)1 << unit->spec.divisor_log2, errors = 0;
    uint32_t sums[4] = {0};
    double outputs[32];

    assert_true(digits <= 4);
    for (;;) {
        uint64_t result = oracle_result(sums, digits, divisor / 2, divisor);
        bool wrong = false;
        uint32_t j = 0;

        oracle_forward(unit, sums, 0, outputs);
        for (uint32_t k = 0; k < unit->spec.bits_out / 2; k++, result /= 4) {
            double digit = fmin(3, fmax(0, floor(outputs[k] + 0.5)));

            wrong = wrong || digit != (double)(result % 4);
        }
        errors += wrong;
        while (j < digits && sums[j] == sum_max)
            sums[j++] = 0;
        if (j == digits)
            return errors;
        sums[j]++;
    }
}

typedef struct alteration_tally {
    uint32_t wrong;  /* alterations that exhaustion shows wrong */
    uint32_t right;  /* that leave every digit right */
    uint32_t proved; /* of the right ones, those proved */
} alteration_tally;

static void try_alteration(const altered *copy, alteration_tally *tally)
{
    const optinc_verify_options options = {.thread_count = 1};
    uint64_t errors = count_errors(&copy->unit);
    optinc_design *design = NULL;
    optinc_verify_result result;

    assert_int_equal(optinc_design_create(&copy->unit, 1, NULL, &design), OPTINC_OK);
    result = verify(design, &options);
    assert_int_equal(result.exhaustive.errors, errors);
    assert_int_equal(result.exhaustive.exact, errors == 0);
    assert_int_equal(result.best.exact, errors == 0);
    assert_int_equal(result.compositional.exact, result.compositional.errors == 0);
    assert_true(result.compositional.errors <= result.compositional.cases);
    if (errors > 0) {
        if (result.compositional.exact)
            fail_msg("a wrong unit was proved");
        assert_true(result.best.margin_min == 0);
        tally->wrong++;
    } else {
        tally->right++;
        tally->proved += result.compositional.exact;
        /* what is proved holds with the margin that was seen */
        if (result.compositional.exact)
            assert_true(result.compositional.margin_min <= result.exhaustive.margin_min + 1e-12);
    }
    optinc_design_destroy(&design);
}

/* Every weight and bias in turn, each changed by `change`. */
static alteration_tally alter_each(const optinc_unit *unit, double change)
{
    alteration_tally tally = {0, 0, 0};
    altered copy;

    alter_begin(unit, &copy);
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        uint32_t rows = unit->layers[l].rows, cols = unit->layers[l].cols;

        for (uint32_t i = 0; i < rows * cols + rows; i++) {
            double *value = (double *)(i < rows * cols ? &copy.layers[l].weight[i]
                                                       : &copy.layers[l].bias[i - rows * cols]);
            double before = *value;

            *value += change;
            try_alteration(&copy, &tally);
            *value = before;
        }
    }
    alter_end(&copy);
    return tally;
}

static void test_changed_weights_are_caught(void **state)
{
    const double changes[] = {-2.9137, -1.0371, -0.4713, -0.1093, -0.0217, 1e-9,
                              0.0231,  0.1107,  0.4637,  1.0359,  2.9153};
    const struct {
        uint32_t ports, bits;
        optinc_variant variant;
    } units[] = {{4, 4, OPTINC_VARIANT_HALF_UP},
                 {2, 4, OPTINC_VARIANT_HALF_UP},
                 {4, 4, OPTINC_VARIANT_RESIDUAL}};

    (void)state;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        for (uint32_t a = 0; a < 2; a++) {
            optinc_spec spec = single(units[u].ports, units[u].bits, units[u].variant);
            /* a gap that puts no altered output halfway between digits, where rounding decides */
            optinc_design *design = construct(&spec, activations[a], 0.3719);
            alteration_tally all = {0, 0, 0};

            for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
                alteration_tally tally = alter_each(optinc_design_unit(design, 0), changes[c]);

                if (fabs(changes[c]) < 1e-6) { /* far below every margin: stays provable */
                    assert_int_equal(tally.wrong, 0);
                    assert_int_equal(tally.proved, tally.right);
                }
                all.wrong += tally.wrong;
                all.right += tally.right;
                all.proved += tally.proved;
            }
            print_message("N=%u B=%u: %u altered units wrong, all caught; %u right, %u proved\n",
                          spec.ports, spec.bits_in, all.wrong, all.right, all.proved);
            assert_true(all.wrong > 100 && all.right > 100);
            assert_true(10 * all.proved >= 7 * all.right); /* the proof is not idly careful */
            optinc_design_destroy(&design);
        }
}

/* One weight of the full-size unit, somewhere deep. */
static void test_changed_weight_of_4_ports_8_bits(void **state)
{
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);
    optinc_design *design = construct(&spec, OPTINC_ACTIVATION_SATURATING, 0.5), *wrong = NULL;
    optinc_verify_result result;
    altered copy;

    (void)state;
    alter_begin(optinc_design_unit(design, 0), &copy);
    ((double *)copy.layers[3].bias)[2] -= 3;
    assert_int_equal(optinc_design_create(&copy.unit, 1, NULL, &wrong), OPTINC_OK);
    result = verify(wrong, NULL);
    assert_true(result.exhaustive.errors > 0);
    assert_int_equal(result.exhaustive.errors, count_errors(&copy.unit));
    assert_true(result.compositional.errors > 0);
    assert_false(result.compositional.exact);
    assert_true(result.digit_errors[2] > 0);
    optinc_design_destroy(&wrong);

    ((double *)copy.layers[3].bias)[2] = 1e200; /* sums that might overflow: nothing proved */
    assert_int_equal(optinc_design_create(&copy.unit, 1, NULL, &wrong), OPTINC_OK);
    assert_false(verify(wrong, NULL).compositional.exact);
    optinc_design_destroy(&wrong);
    alter_end(&copy);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_4_ports_8_bits),
        cmocka_unit_test(test_every_server_and_bit_count),
        cmocka_unit_test(test_cascade_tops),
        cmocka_unit_test(test_exhaustion_of_a_cascade_top),
        cmocka_unit_test(test_exhaustion_of_stochastic_rounding),
        cmocka_unit_test(test_changed_weights_are_caught),
        cmocka_unit_test(test_changed_weight_of_4_ports_8_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
