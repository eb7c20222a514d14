/* SPDX-License-Identifier: Apache-2.0 */
/* Dummies. Identity: with a loss of L dB an MZI and l dB a splitter, without a spread, a balanced
 * circuit whose longest way has n MZIs and k splitters does to light what the lossless one does, times
 * 10^(-(n L + k l) / 20) on every way; and a switch in lossy meshes errs no more. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "optinc/onn.h"
#include "optinc/optics.h"
#include "unitary.h"

#define MZI_LOSS_DB 0.99
#define SPLITTER_LOSS_DB 0.1

static double *real_matrix(uint32_t rows, uint32_t cols)
{
    uint32_t side = rows > cols ? rows : cols;
    double *unitary = matrix_haar(side, 7, 0), *m = calloc((size_t)rows * cols, sizeof *m);

    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < cols; c++)
            m[(size_t)r * cols + c] = unitary[2 * ((size_t)r * side + c)];
    free(unitary);
    return m;
}

/* max|difference| of the lossy matrix from the scaled lossless one, relative to the scale. */
static double imbalance(const optinc_circuit *circuit)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    size_t count = 2 * (size_t)info.rows * info.cols;
    double *ideal = malloc(count * sizeof *ideal), *lossy = malloc(count * sizeof *lossy);
    optinc_device device = optinc_device_ideal();
    double common, worst = 0;

    assert_int_equal(optinc_circuit_compile(circuit, &device, NULL, ideal), OPTINC_OK);
    device.mzi_loss_db = MZI_LOSS_DB;
    device.splitter_loss_db = SPLITTER_LOSS_DB;
    memset(lossy, 0xFF, count * sizeof *lossy);
    assert_int_equal(optinc_circuit_compile(circuit, &device, NULL, lossy), OPTINC_OK);
    common = pow(
        10, -(info.path_mzis_max * MZI_LOSS_DB + info.path_splitters_max * SPLITTER_LOSS_DB) / 20);
    for (size_t i = 0; i < count; i++) {
        double difference = fabs(lossy[i] / common - ideal[i]);

        if (!(difference <= worst))
            worst = difference;
    }
    free(ideal);
    free(lossy);
    return worst;
}

static void check_svd(uint32_t rows, uint32_t cols, optinc_mesh_layout layout)
{
    double *m = real_matrix(rows, cols);
    optinc_circuit_options options = {.layout = layout};
    optinc_circuit *plain = NULL, *balanced = NULL;
    optinc_circuit_info info;

    assert_int_equal(optinc_circuit_create(rows, cols, m, &options, NULL, &plain), OPTINC_OK);
    options.balance = true;
    assert_int_equal(optinc_circuit_create(rows, cols, m, &options, NULL, &balanced), OPTINC_OK);
    assert_int_equal(optinc_circuit_describe(plain).dummy_count, 0);
    info = optinc_circuit_describe(balanced);
    assert_int_equal(info.path_mzis_max, optinc_circuit_describe(plain).path_mzis_max);
    if (!(imbalance(balanced) <= 1e-12))
        fail_msg("%u x %u, layout %d: %g", rows, cols, (int)layout, imbalance(balanced));
    if (rows > 2 && !(imbalance(plain) > 0.01))
        fail_msg("%u x %u, layout %d: without dummies %g", rows, cols, (int)layout,
                 imbalance(plain));
    /* all modes of a square are lit: those that a cell does not fill, a dummy does */
    if (rows == cols)
        assert_int_equal(info.dummy_count,
                         rows * info.path_mzis_max - (2 * rows * (rows - 1) + rows));
    optinc_circuit_destroy(&plain);
    optinc_circuit_destroy(&balanced);
    free(m);
}

static void test_svd(void **state)
{
    static const uint32_t sides[][2] = {{1, 1}, {2, 2}, {3, 3}, {8, 8}, {5, 9}, {9, 5}, {20, 20}};

    (void)state;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        check_svd(sides[i][0], sides[i][1], OPTINC_MESH_RECTANGULAR);
        check_svd(sides[i][0], sides[i][1], OPTINC_MESH_TRIANGULAR);
    }
}

/* Two by three blocks: trees for three have ways of two lengths. */
static void test_segmented(void **state)
{
    enum { SIDE = 4, ROWS = 2 * SIDE, COLS = 3 * SIDE };

    double *unitary = matrix_haar(SIDE, 3, 0), m[ROWS * COLS];
    optinc_circuit_options options = {
        .mapping = OPTINC_MAPPING_SEGMENTED, .segment_side = SIDE, .balance = true};
    optinc_circuit *circuit = NULL;

    (void)state;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++)
            m[r * COLS + c] = unitary[2 * ((r % SIDE) * SIDE + c % SIDE)];
    assert_int_equal(optinc_circuit_create(ROWS, COLS, m, &options, NULL, &circuit), OPTINC_OK);
    if (!(imbalance(circuit) <= 1e-12))
        fail_msg("%g", imbalance(circuit));
    assert_true(optinc_circuit_describe(circuit).dummy_count > 0);
    optinc_circuit_destroy(&circuit);
    free(unitary);
}

static double error_rate(const optinc_design *design, bool dummies, bool direct, double phase_sigma)
{
    optinc_simulate_options options = optinc_simulate_defaults();
    optinc_simulate_result result;

    options.photonic.device.mzi_loss_db = MZI_LOSS_DB;
    options.photonic.device.phase_sigma_rad = phase_sigma;
    options.photonic.self_configure = phase_sigma > 0;
    options.photonic.dummies = dummies;
    options.photonic.direct = direct;
    options.trials = 1;
    options.codes_per_trial = 20000;
    assert_int_equal(optinc_simulate(design, &options, NULL, NULL, &result), OPTINC_OK);
    return result.code_error_rate;
}

/* The constructed switch by SVD; direct circuits make up for loss themselves and take no dummies.
 * Chips that configure themselves measure the dummies' loss like all else. */
static void test_switch(void **state)
{
    const optinc_construct_options construct = {.activation = OPTINC_ACTIVATION_SATURATING,
                                                .gap = 0.1};
    optinc_design *design = NULL;
    optinc_spec spec;

    (void)state;
    assert_int_equal(optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, &construct, NULL, &design), OPTINC_OK);
    assert_true(error_rate(design, false, false, 0) > 0.5);
    assert_true(error_rate(design, true, false, 0) == 0);
    assert_true(error_rate(design, true, true, 0) == 0);
    assert_true(error_rate(design, true, false, 1) == 0);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_svd),
        cmocka_unit_test(test_segmented),
        cmocka_unit_test(test_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
