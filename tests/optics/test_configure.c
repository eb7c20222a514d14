/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration against theory. Preconditions: matrices from Haar measure, decomposed without
 * error. Identities: with equal couplers, phases of any size are found to rounding by measuring
 * alone. With unequal ones, sigma each, the mean of |S - U|^2 / N is
 *   2 (N - 1) sigma^2                                                before, to first order;
 *   (2/3) N^2 sigma^4 (1 - 1/N^2) + 4 (N - 1) / N sigma^4            after:
 * a cell of rank k crosses an amplitude a next to 0 with density 2 k a, couplers that are m
 * apart leave m - a of it, twice, where m > a, and E m^4 = 12 sigma^4; N - k cells have rank k,
 * and at the bar state those of rank 1 count alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "optics/unitary.h"
#include "optinc/optics.h"

enum { NONE, LOCAL, SELF };

/* |S - ideal|^2 / rows of a chip, both with the device's known losses */
static double error_of(const optinc_circuit *circuit, const optinc_device *device, uint32_t number,
                       int calibration)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    size_t count = 2 * (size_t)info.rows * info.cols;
    optinc_chip chip = {.seed = 11,
                        .chip = number,
                        .correct_errors = calibration == LOCAL,
                        .self_configure = calibration == SELF};
    double *ideal = malloc(count * sizeof *ideal), *real = malloc(count * sizeof *real), sum = 0;
    optinc_device none = optinc_device_ideal();

    none.mzi_loss_db = device->mzi_loss_db;
    for (size_t i = 0; i < count; i++)
        ideal[i] = real[i] = NAN;
    assert_int_equal(optinc_circuit_compile(circuit, &none, NULL, ideal), OPTINC_OK);
    assert_int_equal(optinc_circuit_compile(circuit, device, &chip, real), OPTINC_OK);
    for (size_t i = 0; i < count; i++)
        sum += (ideal[i] - real[i]) * (ideal[i] - real[i]);
    free(ideal);
    free(real);
    return sum / info.rows;
}

static optinc_circuit *haar_circuit(uint32_t side, uint64_t seed, optinc_mesh_layout layout,
                                    optinc_cell_form form)
{
    optinc_circuit_options options = {.layout = layout, .form = form};
    double *haar = matrix_haar(side, seed, 1);
    optinc_circuit *circuit = NULL;

    assert_int_equal(optinc_circuit_create_unitary(side, haar, &options, NULL, &circuit),
                     OPTINC_OK);
    free(haar);
    return circuit;
}

static void test_phases(void **state)
{
    optinc_device device = optinc_device_ideal();

    (void)state;
    device.phase_sigma_rad = 10;
    for (uint32_t side = 1; side <= 9; side++)
        for (int kind = 0; kind < 4; kind++) {
            optinc_circuit *circuit =
                haar_circuit(side, 3 * side, (optinc_mesh_layout)(kind / 2),
                             kind % 2 ? OPTINC_CELL_SYMMETRIC : OPTINC_CELL_PHYSICAL);
            double before = error_of(circuit, &device, side, NONE);
            double after = error_of(circuit, &device, side, SELF);

            if (!(before > 0.05 && after <= 1e-18 * side))
                fail_msg("side %u kind %d: %g, configured %g", side, kind, before, after);
            optinc_circuit_destroy(&circuit);
        }
}

static void test_couplers(void **state)
{
    static const struct {
        uint32_t side, chips;
        double sigma;
    } cases[] = {{4, 6000, 0.02}, {8, 900, 0.02}, {16, 600, 0.01}, {16, 250, 0.02}};
    optinc_device device = optinc_device_ideal();

    (void)state;
    for (size_t s = 0; s < sizeof cases / sizeof *cases; s++) {
        double n = cases[s].side, variance = cases[s].sigma * cases[s].sigma, sum[3] = {0};
        double first = 2 * (n - 1) * variance;
        double second = (2.0 / 3 * (n * n - 1) + 4 * (n - 1) / n) * variance * variance;

        device.splitter_sigma_rad = cases[s].sigma;
        for (uint32_t t = 0; t < cases[s].chips; t++) {
            optinc_circuit *circuit = haar_circuit(
                cases[s].side, 100 + t, t % 2 ? OPTINC_MESH_TRIANGULAR : OPTINC_MESH_RECTANGULAR,
                OPTINC_CELL_PHYSICAL);

            for (int k = 0; k < 3; k++)
                sum[k] += error_of(circuit, &device, t, k) / cases[s].chips;
            optinc_circuit_destroy(&circuit);
        }
        if (!(fabs(sum[NONE] / first - 1) <= 0.08))
            fail_msg("side %g sigma %g: %g, expected %g", n, cases[s].sigma, sum[NONE], first);
        /* few cells, and the worst of them, make up the sum */
        if (!(fabs(sum[LOCAL] / second - 1) <= 0.45))
            fail_msg("side %g sigma %g: corrected %g, expected %g", n, cases[s].sigma, sum[LOCAL],
                     second);
        /* what one cell could not reach, the cells after it make up for in part */
        if (!(sum[SELF] <= 1.02 * sum[LOCAL] && sum[SELF] >= 0.4 * second))
            fail_msg("side %g sigma %g: configured %g, corrected %g", n, cases[s].sigma, sum[SELF],
                     sum[LOCAL]);
    }
}

/* Real matrices of every mapping, with shifters' offsets, heat and losses: configured, the
 * circuit is the one without faults; with unequal couplers as well, nearer to it than
 * uncalibrated. */
static void test_mappings(void **state)
{
    double *haar = matrix_haar(6, 5, 0), *gauss = matrix_haar(6, 7, 1), real[36];

    (void)state;
    for (int kind = 0; kind < 12; kind++) {
        optinc_circuit_options options = {.mapping = (optinc_mapping)(kind % 3),
                                          .form = kind / 3 % 2 ? OPTINC_CELL_SYMMETRIC
                                                               : OPTINC_CELL_PHYSICAL,
                                          .segment_side = kind < 6 ? 6 : 3,
                                          .loss_db = 0.2};
        uint32_t rows = options.mapping == OPTINC_MAPPING_SVD && kind >= 6 ? 4 : 6;
        optinc_device device = optinc_device_ideal();
        optinc_circuit *circuit = NULL;
        double before, after;

        for (int i = 0; i < 36; i++)
            real[i] = options.mapping == OPTINC_MAPPING_SEGMENTED ? haar[2 * i] : gauss[2 * i];
        for (int i = 0; i < 36 && options.mapping == OPTINC_MAPPING_SEGMENTED && kind >= 6; i++)
            real[i] = 0.3 * (1 + i / 18) * (i % 6 / 3 ? 1 : 2) * (i / 6 % 3 == i % 3);
        assert_int_equal(optinc_circuit_create(rows, 6, real, &options, NULL, &circuit), OPTINC_OK);
        device.phase_sigma_rad = 0.3;
        device.crosstalk = 0.02;
        device.mzi_loss_db = 0.2;
        before = error_of(circuit, &device, 3, NONE);
        after = error_of(circuit, &device, 3, SELF);
        if (!(before > 0.05 && after <= 1e-16))
            fail_msg("kind %d: %g, configured %g", kind, before, after);
        device.splitter_sigma_rad = 0.02;
        device.phase_sigma_rad = 0;
        before = error_of(circuit, &device, 3, NONE);
        after = error_of(circuit, &device, 3, SELF);
        if (!(after <= 0.05 * before))
            fail_msg("kind %d, couplers: %g, configured %g", kind, before, after);
        optinc_circuit_destroy(&circuit);
    }
    free(haar);
    free(gauss);
}

static void test_bad_input(void **state)
{
    optinc_circuit *circuit = haar_circuit(3, 1, OPTINC_MESH_RECTANGULAR, OPTINC_CELL_PHYSICAL);
    optinc_circuit_options options = {.form = OPTINC_CELL_BLOCH};
    optinc_device device = optinc_device_ideal();
    optinc_chip both = {.correct_errors = true, .self_configure = true};
    double *haar = matrix_haar(3, 1, 1), out[18];

    (void)state;
    assert_int_equal(optinc_circuit_compile(circuit, &device, &both, out),
                     OPTINC_ERR_INVALID_ARGUMENT);
    optinc_circuit_destroy(&circuit);
    assert_int_equal(optinc_circuit_create_unitary(3, haar, &options, NULL, &circuit),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(circuit);
    options.form = OPTINC_CELL_PHYSICAL;
    haar[0] += 0.1;
    assert_int_equal(optinc_circuit_create_unitary(3, haar, &options, NULL, &circuit),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(circuit);
    free(haar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_couplers),
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_bad_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
