/* SPDX-License-Identifier: Apache-2.0 */
/* Eyes against theory, on the exact switch of N = 2, B = 2 as one linear receiver, y = s/2 + 1/4
 * for the sum s of two digits: every level k is 2k - 1 and 2k, so its values are k - 1/4 and k +
 * 1/4. With Gaussian noise of sigma, errors are Q((1/2 -+ 1/4) / sigma). A symbol whose
 * neighbours are the lowest or highest counts by a and they by b, c: a/2 - 3 (|b| + |c|) is left
 * of the eye. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "line_design.h"
#include "optinc/onn.h"
#include "optinc/optics.h"

static double noise_for(double sigma_y, double rate_gbaud)
{
    return sigma_y / 3 * 2e-3 / sqrt(0.5e9 * rate_gbaud) * 1e12;
}

/* Without noise and limits: levels at the theory's values, eyes of height 1/2 and full width. */
static void test_open(void **state)
{
    optinc_design *design = line_design();
    optinc_eye_options options = {.photonic = optinc_photonic_defaults(), .seed = 3};
    optinc_eye *eye = NULL;
    const optinc_eye_digit *digit;
    uint64_t traces = 0, symbols = 0;

    (void)state;
    assert_int_equal(optinc_eye_create(design, &options, NULL, &eye), OPTINC_OK);
    assert_int_equal(optinc_eye_digit_count(eye), 1);
    digit = optinc_eye_digit_at(eye, 0);
    for (int k = 0; k < 3; k++) {
        assert_true(fabs(digit->height[k] - 0.5) <= 1e-9);
        assert_true(fabs(digit->width[k] - 1) <= 1.5 / 64);
    }
    /* s = 2k - 1 and 2k of 1, 2, 3, 4, 3, 2, 1 sixteenths */
    assert_true(fabs(digit->mean[0] - 0.25) <= 1e-9 && digit->spread[0] <= 1e-7);
    assert_true(fabs(digit->mean[1] - (0.75 * 2 + 1.25 * 3) / 5) <= 0.02);
    assert_true(fabs(digit->spread[1] - 0.5 * sqrt(0.4 * 0.6)) <= 0.01);
    for (int k = 0; k < 4; k++) {
        assert_true(digit->noise[k] == 0);
        symbols += digit->symbols[k];
    }
    assert_true(digit->error_rate == 0 && digit->symbol_errors == 0);
    for (unsigned r = 0; r < OPTINC_EYE_ROWS; r++)
        traces += digit->density[r][OPTINC_EYE_COLUMNS / 2];
    assert_int_equal(traces, symbols);
    optinc_eye_destroy(&eye);
    optinc_eye_destroy(&eye);
    assert_null(eye);
    optinc_design_destroy(&design);
}

static void test_noise(void **state)
{
    static const double share[7] = {1, 2, 3, 4, 3, 2, 1};
    optinc_design *design = line_design();
    optinc_eye_options options = {
        .photonic = optinc_photonic_defaults(), .symbol_count = 65536, .seed = 4};

    (void)state;
    options.photonic.bias_electronic = true;
    for (int k = 0; k < 3; k++) {
        double sigma = 0.06 + 0.06 * k, expected = 0, deviation, found;
        const optinc_eye_digit *digit;
        optinc_eye *eye = NULL;

        options.photonic.device.receiver_noise_pa_per_sqrt_hz = noise_for(sigma, 10);
        for (int s = 0; s < 7; s++) {
            double y = s / 2.0 + 0.25, level = floor((s + 1) / 2.0), p = 0;

            if (level > 0)
                p += tail((y - level + 0.5) / sigma);
            if (level < 3)
                p += tail((level + 0.5 - y) / sigma);
            expected += share[s] / 16 * p;
        }
        assert_int_equal(optinc_eye_create(design, &options, NULL, &eye), OPTINC_OK);
        digit = optinc_eye_digit_at(eye, 0);
        for (int level = 0; level < 4; level++)
            assert_true(fabs(digit->noise[level] / sigma - 1) <= 0.05);
        if (!(fabs(digit->error_rate / expected - 1) <= 0.25))
            fail_msg("sigma %g: %g, expected %g", sigma, digit->error_rate, expected);
        found = (double)digit->symbol_errors / 65000;
        deviation = sqrt(expected / 65000);
        if (!(fabs(found - expected) <= 0.02 * expected + 5 * deviation))
            fail_msg("sigma %g: counted %g, expected %g", sigma, found, expected);
        assert_true(digit->height[0] < 0.5 && digit->width[0] < 1);
        optinc_eye_destroy(&eye);
    }
    optinc_design_destroy(&design);
}

/* The filter's step response at time t in units of its delay, by Runge and Kutta on
 * y'''' + 10 y''' + 45 y'' + 105 y' + 105 y = 105. */
static double step_response(double t)
{
    const int steps = 4000;
    double y[4] = {0}, dt = t / steps;

    for (int i = 0; i < steps && t > 0; i++) {
        static const double at[4] = {0, 0.5, 0.5, 1}, share[4] = {1, 2, 2, 1};
        double slope[4] = {0}, sum[4] = {0};

        for (int stage = 0; stage < 4; stage++) {
            double z[4];

            for (int k = 0; k < 4; k++)
                z[k] = y[k] + at[stage] * dt * slope[k];
            for (int k = 0; k < 3; k++)
                slope[k] = z[k + 1];
            slope[3] = 105 - 105 * z[0] - 105 * z[1] - 45 * z[2] - 10 * z[3];
            for (int k = 0; k < 4; k++)
                sum[k] += share[stage] / 6 * slope[k];
        }
        for (int k = 0; k < 4; k++)
            y[k] += dt * sum[k];
    }
    return y[0];
}

/* A receiver of 0.7 times the symbol rate leaves of the eye what its response tells; a slower one
 * less, and half of the symbol rate shuts it. */
static void test_bandwidth(void **state)
{
    optinc_design *design = line_design();
    optinc_eye_options options = {.photonic = optinc_photonic_defaults(), .seed = 5};
    double width[3], height[3], delays = 2 * 3.14159265358979 * 0.7 / 2.113917675, own, left;

    (void)state;
    for (int k = 0; k < 3; k++) {
        optinc_eye *eye = NULL;

        options.photonic.device.receiver_bandwidth_ghz = k == 0 ? 3 : k == 1 ? 7 : 20;
        assert_int_equal(optinc_eye_create(design, &options, NULL, &eye), OPTINC_OK);
        width[k] = optinc_eye_digit_at(eye, 0)->width[1];
        height[k] = optinc_eye_digit_at(eye, 0)->height[1];
        optinc_eye_destroy(&eye);
    }
    assert_true(width[0] < 0.2 && width[1] > width[0] && width[2] > width[1] && width[2] < 1);
    assert_true(height[0] < height[1] && height[1] < height[2]);
    own = step_response(0.5 * delays + 1) - step_response(1 - 0.5 * delays);
    left =
        0.5 * own - 3 * (step_response(1 - 0.5 * delays) +
                         fabs(step_response(1.5 * delays + 1) - step_response(0.5 * delays + 1)));
    if (!(fabs(height[1] - left) <= 2e-3))
        fail_msg("height %g, expected %g", height[1], left);
    /* -3 dB at twice the symbol rate: what is left of the step at half a symbol is below 0.1 % */
    assert_true(height[2] > 0.499);
    optinc_design_destroy(&design);
}

static void test_bad_input(void **state)
{
    optinc_design *design = line_design();
    optinc_eye_options options = {.photonic = optinc_photonic_defaults(), .symbol_count = 63};
    optinc_eye *eye = (optinc_eye *)&options;

    (void)state;
    assert_int_equal(optinc_eye_create(design, &options, NULL, &eye), OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(eye);
    options.symbol_count = 0;
    options.level = 1;
    assert_int_equal(optinc_eye_create(design, &options, NULL, &eye), OPTINC_ERR_INVALID_ARGUMENT);
    options.level = 0;
    options.photonic.device.receiver_bandwidth_ghz = 0;
    assert_int_equal(optinc_eye_create(design, &options, NULL, &eye), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_eye_create(NULL, &options, NULL, &eye), OPTINC_ERR_INVALID_ARGUMENT);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_bandwidth),
        cmocka_unit_test(test_bad_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
