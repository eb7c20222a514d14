/* SPDX-License-Identifier: Apache-2.0 */
/* Circuits as built. Precondition: compiled without faults they are what they were made from
 * (test_circuit). Identity: each fault alone has the effect that theory gives it; correction and the
 * search of DAC codes take away what they promise to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "optinc/optics.h"
#include "unitary.h"

static double compiled_error(const optinc_circuit *circuit, const optinc_device *device,
                             optinc_chip chip)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    size_t count = (size_t)info.rows * info.cols;
    double *ideal = malloc(2 * count * sizeof *ideal), *real = malloc(2 * count * sizeof *real);
    const optinc_device none = optinc_device_ideal();
    double sum = 0;

    assert_int_equal(optinc_circuit_compile(circuit, &none, NULL, ideal), OPTINC_OK);
    assert_int_equal(optinc_circuit_compile(circuit, device, &chip, real), OPTINC_OK);
    for (size_t i = 0; i < 2 * count; i++)
        sum += (ideal[i] - real[i]) * (ideal[i] - real[i]);
    free(ideal);
    free(real);
    return sqrt(sum);
}

/* Theory, to first order in sigma, of E|difference|^2 / sigma^2 for a unitary mesh of side N. Light of
 * norm 1 passes every mode, so each of a cell's three shifters adds 1, and each output shifter. A
 * coupler turns both of its modes: 2 each. An attenuator at factor 1 passes one mode: its input
 * shifter adds 1; an arm holds half of the light and returns half of its error to that mode: 1/4
 * each; its couplers' errors go to the dark mode. */
static void test_fault_size(void **state)
{
    enum { N = 8 };
    const double sigma = 1e-4;
    optinc_device device = optinc_device_ideal();
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SEGMENTED, .segment_side = N};
    double *haar = matrix_haar(N, 8, 0), real[N * N], sum[2] = {0};
    const double mesh = N * (N - 1) / 2.0, couplers = mesh * 4;
    const double phases = mesh * 3 + N * (1 + 0.25 + 0.25) + N;
    const int trials = 200;
    optinc_circuit *circuit = NULL;

    (void)state;
    for (int i = 0; i < N * N; i++)
        real[i] = haar[2 * i];
    assert_int_equal(optinc_circuit_create(N, N, real, &options, NULL, &circuit), OPTINC_OK);
    for (uint32_t t = 0; t < (uint32_t)trials; t++) {
        optinc_chip chip = {.seed = 3, .chip = t};

        device.phase_sigma_rad = sigma;
        device.splitter_sigma_rad = 0;
        sum[0] += pow(compiled_error(circuit, &device, chip) / sigma, 2);
        device.phase_sigma_rad = 0;
        device.splitter_sigma_rad = sigma;
        sum[1] += pow(compiled_error(circuit, &device, chip) / sigma, 2);
    }
    sum[0] /= trials;
    sum[1] /= trials;
    if (!(fabs(sum[0] / phases - 1) <= 0.1))
        fail_msg("phases: %g, expected %g", sum[0], phases);
    if (!(fabs(sum[1] / couplers - 1) <= 0.1))
        fail_msg("couplers: %g, expected %g", sum[1], couplers);
    optinc_circuit_destroy(&circuit);
    free(haar);
}

/* Every fault alone: none at zero, there when set, the same for the same chip, another for another;
 * loss alone scales a rectangle that all light crosses by whole columns. */
static void test_faults_alone(void **state)
{
    static const char *const names[] = {"phase_sigma_rad",     "splitter_sigma_rad", "mzi_loss_db",
                                        "mzi_loss_sigma_db",   "dac_bits",           "crosstalk",
                                        "drift_rad_per_sqrt_s"};
    static const double values[] = {0.01, 0.01, 0.3, 0.1, 6, 0.01, 0.001};
    static const bool random[] = {true, true, false, true, false, false, true};
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SVD};
    double *m = matrix_gaussian(6, 5, 12);
    optinc_circuit *circuit = NULL;

    (void)state;
    assert_int_equal(optinc_circuit_create(6, 5, m, &options, NULL, &circuit), OPTINC_OK);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        optinc_device device = optinc_device_ideal();
        optinc_chip chip = {.seed = 1, .chip = 2, .layer = 3, .drift_time_s = 100}, other = chip;
        double first;

        assert_true(compiled_error(circuit, &device, chip) <= 1e-12);
        assert_int_equal(optinc_device_set(&device, names[i], values[i], NULL), OPTINC_OK);
        first = compiled_error(circuit, &device, chip);
        if (!(first > 1e-6 && first < 3))
            fail_msg("%s: error %g", names[i], first);
        assert_true(compiled_error(circuit, &device, chip) == first);
        other.chip = 3;
        assert_true((compiled_error(circuit, &device, other) != first) == random[i]);
        other = chip;
        other.layer = 4;
        assert_true((compiled_error(circuit, &device, other) != first) == random[i]);
    }
    optinc_circuit_destroy(&circuit);
    free(m);
}

/* Error correction: what shifters and heat did is undone to rounding; what couplers did, to second
 * order (Bandyopadhyay et al. 2021): halving sigma quarters what is left. Of every mapping. */
static void test_correction(void **state)
{
    double *haar = matrix_haar(8, 21, 0), *gauss = matrix_gaussian(8, 8, 22), *m;

    (void)state;
    for (int i = 0; i < 64; i++)
        haar[i] = haar[2 * i];
    for (int mapping = 0; mapping <= OPTINC_MAPPING_DIRECT; mapping++)
        for (int form = 0; form < 2; form++) {
            optinc_circuit_options options = {.mapping = (optinc_mapping)mapping,
                                              .form = form ? OPTINC_CELL_SYMMETRIC
                                                           : OPTINC_CELL_PHYSICAL,
                                              .segment_side = 8};
            optinc_device device = optinc_device_ideal();
            optinc_circuit *circuit = NULL;
            double before = 0, after[2] = {0, 0};

            /* An orthogonal matrix's SVD has a mesh of nothing but bar states, which cells with
             * unequal couplers never reach. */
            m = mapping == OPTINC_MAPPING_SEGMENTED ? haar : gauss;
            assert_int_equal(optinc_circuit_create(8, 8, m, &options, NULL, &circuit), OPTINC_OK);
            device.phase_sigma_rad = 0.1;
            device.crosstalk = 0.02;
            for (uint32_t t = 0; t < 3; t++) {
                optinc_chip chip = {.seed = 5, .chip = t};

                assert_true(compiled_error(circuit, &device, chip) > 0.1);
                chip.correct_errors = true;
                if (!(compiled_error(circuit, &device, chip) <= 1e-10))
                    fail_msg("mapping %d form %d: %g left", mapping, form,
                             compiled_error(circuit, &device, chip));
            }
            device = optinc_device_ideal();
            for (uint32_t t = 0; t < 40; t++) {
                optinc_chip chip = {.seed = 6, .chip = t};

                device.splitter_sigma_rad = 0.01;
                before += compiled_error(circuit, &device, chip);
                chip.correct_errors = true;
                after[0] += compiled_error(circuit, &device, chip);
                device.splitter_sigma_rad = 0.005;
                after[1] += compiled_error(circuit, &device, chip);
            }
            if (!(after[0] < 0.2 * before && after[1] < 0.4 * after[0] + 1e-10))
                fail_msg("mapping %d form %d: %g, corrected %g, at half of sigma %g", mapping, form,
                         before, after[0], after[1]);
            optinc_circuit_destroy(&circuit);
        }
    free(haar);
    free(gauss);
}

/* With DAC steps, searching the codes beside the rounded ones leaves less than rounding each phase by
 * itself; without them, or of a circuit of more than 256 elements, there is nothing to search. */
static void test_search(void **state)
{
    double *m = matrix_gaussian(4, 5, 60), *large = matrix_gaussian(24, 24, 61), sum[2] = {0, 0};
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_DIRECT};
    optinc_device device = optinc_device_ideal();
    optinc_circuit *circuit = NULL;
    double out[2 * 24 * 24];
    optinc_chip chip = {.seed = 9, .correct_errors = true};

    (void)state;
    assert_int_equal(optinc_circuit_create(4, 5, m, &options, NULL, &circuit), OPTINC_OK);
    device.dac_bits = 6;
    device.phase_sigma_rad = 0.02;
    device.splitter_sigma_rad = 0.02;
    for (chip.chip = 0; chip.chip < 10; chip.chip++) {
        for (int k = 0; k < 2; k++) {
            chip.search_steps = k == 1;
            assert_int_equal(optinc_circuit_compile(circuit, &device, &chip, out), OPTINC_OK);
            for (int r = 0; r < 4; r++) {
                double across = 0, own = 0, wanted = 0;

                for (int c = 0; c < 5; c++) {
                    across += m[5 * r + c] * out[2 * (5 * r + c)];
                    own += out[2 * (5 * r + c)] * out[2 * (5 * r + c)];
                    wanted += m[5 * r + c] * m[5 * r + c];
                }
                sum[k] += 1 - across * across / (own * wanted);
            }
        }
    }
    if (!(sum[1] < 0.25 * sum[0]))
        fail_msg("rounded %g, searched %g", sum[0], sum[1]);
    device.dac_bits = 0;
    chip.chip = 0;
    assert_true(compiled_error(circuit, &device, chip) <= 1e-9);
    optinc_circuit_destroy(&circuit);
    options.mapping = OPTINC_MAPPING_SVD;
    device.dac_bits = 8;
    assert_int_equal(optinc_circuit_create(24, 24, large, &options, NULL, &circuit), OPTINC_OK);
    assert_int_equal(optinc_circuit_compile(circuit, &device, &chip, out), OPTINC_ERR_UNSUPPORTED);
    optinc_circuit_destroy(&circuit);
    free(m);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_size),
        cmocka_unit_test(test_faults_alone),
        cmocka_unit_test(test_correction),
        cmocka_unit_test(test_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
