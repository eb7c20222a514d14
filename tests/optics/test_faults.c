/* SPDX-License-Identifier: Apache-2.0 */
/* Faults against theory. Drift: every phase walks by d sqrt(t), and each of a mesh's 3 N (N - 1)
 * / 2 shifters and N receivers adds the square of its error to |S - U|^2 (to first order).
 * Crosstalk: a circuit whose phases hold their neighbours' shares, built so, has the matrix of
 * the one that heats up. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "optics/circuit.h"
#include "optics/unitary.h"

#define N 6

static optinc_circuit *haar_circuit(uint64_t seed)
{
    optinc_circuit_options options = {.form = OPTINC_CELL_PHYSICAL};
    double *haar = matrix_haar(N, seed, 1);
    optinc_circuit *circuit = NULL;

    assert_int_equal(optinc_circuit_create_unitary(N, haar, &options, NULL, &circuit), OPTINC_OK);
    free(haar);
    return circuit;
}

static void compile(const optinc_circuit *circuit, const optinc_device *device,
                    const optinc_chip *chip, double *matrix)
{
    for (int i = 0; i < 2 * N * N; i++)
        matrix[i] = NAN;
    assert_int_equal(optinc_circuit_compile(circuit, device, chip, matrix), OPTINC_OK);
}

static double distance(const double *a, const double *b)
{
    double sum = 0;

    for (int i = 0; i < 2 * N * N; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static void test_drift(void **state)
{
    static const double seconds[3] = {1, 100, 10000};
    const double walk = 1e-5, shifters = 3.0 * N * (N - 1) / 2 + N;
    optinc_device device = optinc_device_ideal(), none = device;
    const int chips = 300;

    (void)state;
    device.drift_rad_per_sqrt_s = walk;
    for (int k = 0; k < 3; k++) {
        double expected = walk * walk * seconds[k] * shifters, found = 0;

        for (uint32_t c = 0; c < (uint32_t)chips; c++) {
            optinc_circuit *circuit = haar_circuit(c);
            optinc_chip chip = {.seed = 2, .chip = c, .drift_time_s = seconds[k]};
            double ideal[2 * N * N], drifted[2 * N * N];

            compile(circuit, &none, NULL, ideal);
            compile(circuit, &device, &chip, drifted);
            found += distance(ideal, drifted) / chips;
            optinc_circuit_destroy(&circuit);
        }
        if (!(fabs(found / expected - 1) <= 0.06))
            fail_msg("after %g s: %g, expected %g", seconds[k], found, expected);
    }
}

/* Calibration at time 0 takes back what was there then; drift comes on top of it, the same as on a
 * chip without other faults. */
static void test_drift_after_calibration(void **state)
{
    optinc_circuit *circuit = haar_circuit(7);
    optinc_device device = optinc_device_ideal(), ideal_device = device, drift_alone = device;
    double ideal[2 * N * N], alone[2 * N * N], real[2 * N * N];

    (void)state;
    device.phase_sigma_rad = 1;
    device.drift_rad_per_sqrt_s = drift_alone.drift_rad_per_sqrt_s = 1e-4;
    compile(circuit, &ideal_device, NULL, ideal);
    for (int self = 0; self < 2; self++) {
        optinc_chip chip = {
            .seed = 3, .drift_time_s = 900, .correct_errors = !self, .self_configure = self == 1};
        optinc_chip plain = {.seed = 3, .drift_time_s = 900};

        compile(circuit, &drift_alone, &plain, alone);
        compile(circuit, &device, &chip, real);
        assert_true(distance(alone, ideal) > 1e-6);
        /* self-configured cells may sit in their other null, where drift acts alike in size
         * alone */
        if (!self)
            assert_true(distance(real, alone) <= 1e-20);
        assert_true(distance(real, ideal) > 0.2 * distance(alone, ideal) &&
                    distance(real, ideal) < 5 * distance(alone, ideal));
        chip.drift_time_s = 0;
        compile(circuit, &device, &chip, real);
        assert_true(distance(real, ideal) <= 1e-18);
    }
    optinc_circuit_destroy(&circuit);
}

static void test_crosstalk(void **state)
{
    const double share = 0.03;
    optinc_circuit *circuit = haar_circuit(9), *heated = NULL;
    optinc_device device = optinc_device_ideal(), none = device;
    double found[2 * N * N], expected[2 * N * N];

    (void)state;
    device.crosstalk = share;
    assert_int_equal(oi_circuit_allocate(N, N, N, &heated), OPTINC_OK);
    for (size_t k = 0; k < circuit->element_count; k++) {
        optinc_element e = circuit->elements[k];

        /* the like shifters of the cells in the same column, two modes further up and down */
        for (size_t i = 0; i < circuit->element_count; i++) {
            const optinc_element *other = &circuit->elements[i];

            if (other->column != e.column ||
                (other->mode_a != e.mode_a + 2 && other->mode_a + 2 != e.mode_a))
                continue;
            e.in_rad += share * other->in_rad;
            e.arm_a_rad += share * other->arm_a_rad;
        }
        assert_int_equal(oi_circuit_add(heated, &e), OPTINC_OK);
    }
    memcpy(heated->output_rad, circuit->output_rad, N * sizeof(double));
    assert_int_equal(oi_circuit_finish(heated), OPTINC_OK);
    compile(circuit, &device, NULL, found);
    compile(heated, &none, NULL, expected);
    if (!(distance(found, expected) <= 1e-24))
        fail_msg("differs by %g", distance(found, expected));
    compile(circuit, &none, NULL, expected);
    assert_true(distance(found, expected) > 1e-3);
    optinc_circuit_destroy(&circuit);
    optinc_circuit_destroy(&heated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_drift_after_calibration),
        cmocka_unit_test(test_crosstalk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
