/* SPDX-License-Identifier: Apache-2.0 */
/* Monte Carlo against theory. One linear layer of one receiver, y = s/2 + 1/4 for the sum s of two
 * 2-bit codes, is the exact switch of N = 2, B = 2, with 1/4 between every value and its threshold:
 * with Gaussian noise its error rate is a sum of Q functions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "line_design.h"
#include "optinc/onn.h"
#include "optinc/optics.h"

/* Thermal noise of sigma_y: 3 is the full scale of s/2, 2 R sqrt(P_lo P) = 2 mA, bandwidth 5 GHz. */
static double noise_for(double sigma_y)
{
    return sigma_y / 3 * 2e-3 / sqrt(5e9) * 1e12;
}

static void test_error_rate(void **state)
{
    static const double share[7] = {1, 2, 3, 4, 3, 2, 1};
    optinc_design *design = line_design();
    optinc_simulate_options options = optinc_simulate_defaults();
    optinc_simulate_result result, again;

    (void)state;
    options.photonic.bias_electronic = true;
    options.trials = 20;
    options.codes_per_trial = 50000;
    options.thread_count = 1;
    assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &result), OPTINC_OK);
    assert_int_equal(result.code_errors, 0);
    assert_true(result.ci95_low == 0 && result.ci95_high > 0 && result.ci95_high < 1e-5);
    assert_true(result.yield == 1);
    for (int k = 0; k < 3; k++) {
        double sigma = 0.08 + 0.06 * k, expected = 0, deviation;

        options.photonic.device.receiver_noise_pa_per_sqrt_hz = noise_for(sigma);
        for (int s = 0; s < 7; s++) {
            double y = s / 2.0 + 0.25, digit = floor((s + 1) / 2.0), p = 0;

            if (digit > 0)
                p += tail((y - digit + 0.5) / sigma);
            if (digit < 3)
                p += tail((digit + 0.5 - y) / sigma);
            expected += share[s] / 16 * p;
        }
        memset(&result, 0xA5, sizeof result);
        assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &result), OPTINC_OK);
        deviation = sqrt(expected * (1 - expected) / 1e6);
        if (!(fabs(result.code_error_rate - expected) <= 4.5 * deviation))
            fail_msg("sigma %g: %g, expected %g +- %g", sigma, result.code_error_rate, expected,
                     deviation);
        assert_true(result.ci95_low <= result.code_error_rate);
        assert_true(result.ci95_high >= result.code_error_rate);
        assert_int_equal(result.codes, 1000000);
        assert_int_equal(result.symbols, 1000000);
        assert_int_equal(result.symbol_errors, result.digit_errors[0]);
        assert_int_equal(result.error_sizes[0] + result.code_errors, result.codes);
        options.thread_count = 3;
        assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &again), OPTINC_OK);
        assert_int_equal(again.code_errors, result.code_errors);
        assert_memory_equal(again.error_sizes, result.error_sizes, sizeof result.error_sizes);
        options.thread_count = 1;
    }
    optinc_design_destroy(&design);
}

/* One trial in parts counts what it counts in one; a new seed draws new codes. */
static void test_parts(void **state)
{
    optinc_design *design = line_design();
    optinc_simulate_options options = optinc_simulate_defaults();
    optinc_simulate_result one, many;

    (void)state;
    options.photonic.device.receiver_noise_pa_per_sqrt_hz = noise_for(0.15);
    options.trials = 1;
    options.codes_per_trial = 40001;
    options.thread_count = 1;
    assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &one), OPTINC_OK);
    options.thread_count = 4;
    assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &many), OPTINC_OK);
    assert_int_equal(one.code_errors, many.code_errors);
    assert_true(one.code_errors > 100);
    options.seed = 1;
    assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &many), OPTINC_OK);
    assert_int_not_equal(one.code_errors, many.code_errors);
    optinc_design_destroy(&design);
}

static bool refuse(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return false;
}

/* A constructed switch and the top of a cascade, with faults: yield falls with sigma, and the
 * tolerance is where it says. */
static void test_yield(void **state)
{
    optinc_simulate_options options = optinc_simulate_defaults();
    const optinc_spec specs[3] = {{.ports = 4,
                                   .bits_in = 8,
                                   .bits_out = 8,
                                   .divisor_log2 = 2,
                                   .variant = OPTINC_VARIANT_HALF_UP,
                                   .zero_code = 128},
                                  {.ports = 4,
                                   .bits_in = 10,
                                   .bits_out = 8,
                                   .divisor_log2 = 4,
                                   .variant = OPTINC_VARIANT_HALF_UP,
                                   .zero_code = 512},
                                  {.ports = 4,
                                   .bits_in = 8,
                                   .bits_out = 8,
                                   .divisor_log2 = 2,
                                   .variant = OPTINC_VARIANT_STOCHASTIC,
                                   .zero_code = 128}};

    (void)state;
    options.trials = 40;
    options.codes_per_trial = 500;
    options.photonic.direct = true;
    for (int k = 0; k < 3; k++) {
        optinc_design *design = NULL;
        optinc_simulate_result result;
        double value = -1;

        assert_int_equal(optinc_construct(&specs[k], NULL, NULL, &design), OPTINC_OK);
        assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &result), OPTINC_OK);
        assert_int_equal(result.code_errors, 0);
        assert_int_equal(
            optinc_tolerance(design, &options, "phase_sigma_rad", 0.5, 0.75, NULL, NULL, &value),
            OPTINC_OK);
        assert_true(value > 0.001 && value < 0.5);
        options.photonic.device.phase_sigma_rad = value;
        assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &result), OPTINC_OK);
        assert_true(result.yield >= 0.75);
        options.photonic.device.phase_sigma_rad = 4 * value;
        assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &result), OPTINC_OK);
        assert_true(result.yield < 0.5);
        assert_int_equal(
            optinc_simulate(design, &options, &(optinc_progress){.report = refuse}, NULL, &result),
            OPTINC_ERR_INTERRUPTED);
        options.photonic.device.phase_sigma_rad = 0;
        optinc_design_destroy(&design);
    }
    {
        optinc_design *design = line_design();
        optinc_simulate_result result;

        options.trials = 0;
        assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &result),
                         OPTINC_ERR_INVALID_ARGUMENT);
        options.trials = 1;
        options.level = 1;
        assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &result),
                         OPTINC_ERR_INVALID_ARGUMENT);
        optinc_design_destroy(&design);
    }
}

static double error_rate(const optinc_design *design, const optinc_simulate_options *options)
{
    optinc_simulate_result result;

    memset(&result, 0xA5, sizeof result);
    assert_int_equal(optinc_simulate(design, options, NULL, NULL, &result), OPTINC_OK);
    assert_int_equal(result.codes, options->trials * options->codes_per_trial);
    return result.code_error_rate;
}

/* Of all layers or of each alone: the loss that circuits are built for makes no errors, and noise is
 * that of the layer. The last layer's values have no later threshold that they could cross. */
static void test_faults_of_each_layer(void **state)
{
    const optinc_construct_options construct = {.activation = OPTINC_ACTIVATION_SATURATING,
                                                .gap = 0.1};
    optinc_simulate_options options = optinc_simulate_defaults();
    optinc_design *design = NULL;
    double tolerance = NAN, all, most = 0, last = 0;
    optinc_spec spec;

    (void)state;
    assert_int_equal(optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, &construct, NULL, &design), OPTINC_OK);
    assert_int_equal(optinc_design_unit(design, 0)->layer_count, 5);
    options.photonic.direct = true;
    options.trials = 2;
    options.codes_per_trial = 3000;
    for (int k = 0; k < 3; k++) {
        options.photonic.device.mzi_loss_db = k < 2 ? 0.99 : 0;
        options.photonic.device.crossing_loss_db = k > 0 ? 0.16 : 0;
        for (options.photonic.fault_layer = 0; options.photonic.fault_layer <= 5;
             options.photonic.fault_layer++)
            assert_true(error_rate(design, &options) == 0);
    }
    options.photonic.fault_layer = 0;
    options.photonic.device = optinc_device_ideal();
    assert_int_equal(
        optinc_tolerance(design, &options, "mzi_loss_db", 1, 1, NULL, NULL, &tolerance), OPTINC_OK);
    assert_true(tolerance == 1);
    options.photonic.device.laser_rin_db_per_hz = -122;
    all = error_rate(design, &options);
    for (uint32_t l = 1; l <= 5; l++) {
        options.photonic.fault_layer = l;
        last = error_rate(design, &options);
        most = fmax(most, last);
    }
    assert_true(all > 0.5 && most > 0.2 && most < 0.8 * all);
    assert_true(last < 0.05 * all);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_rate),
        cmocka_unit_test(test_faults_of_each_layer),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_yield),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
