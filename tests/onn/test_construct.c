/* SPDX-License-Identifier: Apache-2.0 */
/* Precondition: none. Identity: a constructed unit, run in plain loops, gives the digits of
 * floor((T + offset) / D) for every digit-sum vector. */
#include "oracle.h"

#include <string.h>

/* Outputs of an exact unit are digits up to rounding: some tens of terms of size <= 10^3 a sum. */
#define TOLERANCE 1e-9

static optinc_design *construct(const optinc_spec *spec, optinc_activation activation, double gap)
{
    optinc_construct_options options = {.activation = activation, .gap = gap};
    optinc_design *design = NULL;

    assert_int_equal(optinc_construct(spec, &options, NULL, &design), OPTINC_OK);
    assert_non_null(design);
    return design;
}

static optinc_spec single(uint32_t ports, uint32_t bits, optinc_variant variant)
{
    optinc_spec spec;

    assert_int_equal(optinc_spec_single(ports, bits, variant, NULL, &spec), OPTINC_OK);
    return spec;
}

static void check_random(const optinc_spec *spec, optinc_activation activation, uint32_t count)
{
    optinc_design *design = construct(spec, activation, 0.3);
    const optinc_unit *unit = optinc_design_unit(design, 0);
    uint32_t sums[24], digits = spec->bits_in / 2;
    uint64_t divisor = (uint64_t)1 << spec->divisor_log2;
    uint64_t limit = (uint64_t)1 << spec->bits_out;
    uint64_t random = spec->ports + 100 * spec->bits_in;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t u = oracle_random(&random, (uint32_t)divisor);
        uint64_t offset = spec->variant == OPTINC_VARIANT_STOCHASTIC ? u : divisor / 2;
        uint64_t result;

        if (divisor > spec->ports)
            oracle_random_port_codes(&random, spec, sums);
        else
            oracle_random_sums(&random, spec->ports, digits, sums);
        result = oracle_result(sums, digits, offset, divisor);
        assert_true(result < limit);
        if (!(oracle_output_error(unit, sums, u, result) <= TOLERANCE))
            fail_msg("N=%u B=%u D=%llu case %u: error %g", spec->ports, spec->bits_in,
                     (unsigned long long)divisor, i, oracle_output_error(unit, sums, u, result));
    }
    optinc_design_destroy(&design);
}

static void test_all_cases_of_4_ports_8_bits(void **state)
{
    const optinc_activation activations[] = {OPTINC_ACTIVATION_SATURATING, OPTINC_ACTIVATION_RELU};
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);
    uint32_t sums[4], count = 0;

    (void)state;
    for (uint32_t a = 0; a < 2; a++) {
        optinc_design *design = construct(&spec, activations[a], 0);
        const optinc_unit *unit = optinc_design_unit(design, 0);

        for (sums[3] = 0; sums[3] <= 12; sums[3]++)
            for (sums[2] = 0; sums[2] <= 12; sums[2]++)
                for (sums[1] = 0; sums[1] <= 12; sums[1]++)
                    for (sums[0] = 0; sums[0] <= 12; sums[0]++, count++) {
                        uint64_t result = oracle_result(sums, 4, 2, 4);

                        if (!(oracle_output_error(unit, sums, 0, result) <= TOLERANCE))
                            fail_msg("case %u", count);
                    }
        optinc_design_destroy(&design);
    }
    assert_int_equal(count, 2 * 28561);
}

/* docs/proofs.md: four hidden layers of 6 (saturating) or 9 (ReLU) units. */
static void test_shape_of_4_ports_8_bits(void **state)
{
    const optinc_activation activations[] = {OPTINC_ACTIVATION_SATURATING, OPTINC_ACTIVATION_RELU};
    const uint32_t widths[] = {6, 9};
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (uint32_t a = 0; a < 2; a++) {
        optinc_design *design = construct(&spec, activations[a], 0);
        const optinc_unit *unit = optinc_design_unit(design, 0);

        assert_int_equal(optinc_design_level_count(design), 1);
        assert_int_equal(unit->method, OPTINC_METHOD_CONSTRUCTED);
        assert_int_equal(unit->proof.kind, OPTINC_PROOF_NONE);
        assert_true(unit->gap == 0.5);
        assert_int_equal(unit->input_count, 4);
        assert_int_equal(unit->layer_count, 5);
        for (uint32_t l = 0; l < 4; l++) {
            assert_int_equal(unit->layers[l].rows, widths[a]);
            assert_int_equal(unit->layers[l].activation, activations[a]);
        }
        assert_int_equal(unit->layers[4].rows, 4);
        assert_int_equal(unit->layers[4].activation, OPTINC_ACTIVATION_LINEAR);
        optinc_design_destroy(&design);
    }
}

/* All N and B that are supported, the three variants. */
static void test_every_server_and_bit_count(void **state)
{
    const optinc_variant variants[] = {OPTINC_VARIANT_HALF_UP, OPTINC_VARIANT_STOCHASTIC,
                                       OPTINC_VARIANT_RESIDUAL};

    (void)state;
    for (uint32_t ports = 2; ports <= 64; ports *= 2)
        for (uint32_t bits = 2; bits <= 32; bits += 2)
            for (uint32_t v = 0; v < 3; v++) {
                optinc_spec spec = single(ports, bits, variants[v]);

                check_random(&spec, OPTINC_ACTIVATION_SATURATING, 48);
                check_random(&spec, OPTINC_ACTIVATION_RELU, 48);
            }
}

/* The last switch of a cascade: 4^L and mixed trees, half up and stochastic. */
static void test_cascade_tops(void **state)
{
    const struct {
        uint32_t ports, bits, bits_in, divisor_log2;
    } tops[] = {{4, 8, 10, 4},    {4, 8, 18, 12}, {8, 8, 10, 5},   {4, 8, 12, 5},    {2, 2, 4, 2},
                {64, 32, 38, 12}, {64, 2, 8, 12}, {4, 32, 44, 14}, {32, 26, 48, 24}, {2, 8, 14, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        optinc_spec spec = {.ports = tops[i].ports,
                            .bits_in = tops[i].bits_in,
                            .bits_out = tops[i].bits,
                            .divisor_log2 = tops[i].divisor_log2};

        for (uint32_t v = 0; v < 2; v++) {
            spec.variant = v ? OPTINC_VARIANT_STOCHASTIC : OPTINC_VARIANT_HALF_UP;
            check_random(&spec, OPTINC_ACTIVATION_SATURATING, 500);
            check_random(&spec, OPTINC_ACTIVATION_RELU, 500);
        }
    }
}

static void test_gaps(void **state)
{
    const double gaps[] = {1e-3, 0.1, 0.5, 0.9, 0.999};
    optinc_spec spec = single(8, 8, OPTINC_VARIANT_HALF_UP);

    (void)state;
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        optinc_design *design = construct(&spec, OPTINC_ACTIVATION_SATURATING, gaps[i]);
        uint32_t sums[4];
        uint64_t random = i;

        for (uint32_t n = 0; n < 1000; n++) {
            oracle_random_sums(&random, 8, 4, sums);
            assert_true(oracle_output_error(optinc_design_unit(design, 0), sums, 0,
                                            oracle_result(sums, 4, 4, 8)) <= TOLERANCE);
        }
        optinc_design_destroy(&design);
    }
}

static void test_bad_arguments(void **state)
{
    optinc_spec good = single(4, 8, OPTINC_VARIANT_HALF_UP);
    optinc_spec bad = good;
    optinc_construct_options options = {.activation = OPTINC_ACTIVATION_LINEAR};
    const double gaps[] = {-0.1, 1.0, 1.5, NAN, INFINITY};
    optinc_design *design = (optinc_design *)&good;

    (void)state;
    bad.ports = 5;
    assert_int_equal(optinc_construct(&bad, NULL, NULL, &design), OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(design);
    assert_int_equal(optinc_construct(&good, &options, NULL, &design), OPTINC_ERR_INVALID_ARGUMENT);
    options.activation = OPTINC_ACTIVATION_RELU;
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        options.gap = gaps[i];
        assert_int_equal(optinc_construct(&good, &options, NULL, &design),
                         OPTINC_ERR_INVALID_ARGUMENT);
    }
    assert_int_equal(optinc_construct(&good, NULL, NULL, NULL), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_construct(NULL, NULL, NULL, &design), OPTINC_ERR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_cases_of_4_ports_8_bits),
        cmocka_unit_test(test_shape_of_4_ports_8_bits),
        cmocka_unit_test(test_every_server_and_bit_count),
        cmocka_unit_test(test_cascade_tops),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
