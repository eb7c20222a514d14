/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit computes the matrix that it was made from. Identity: W = diag(gain) Re(diag(e^(i out)) S),
 * S multiplied out here, element by element, from the definition in optinc/optics.h. Compiled without
 * faults it is the same. */
#include <complex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "optinc/optics.h"
#include "unitary.h"

#define PI 3.14159265358979323846

/* diag(e^(i out)) S [rows, cols] */
static double complex *transfer(const optinc_circuit *circuit)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    const optinc_element *elements = optinc_circuit_elements(circuit);
    double complex *out = calloc((size_t)info.rows * info.cols, sizeof *out);
    double complex *field = calloc(info.mode_count, sizeof *field);

    for (uint32_t j = 0; j < info.cols; j++) {
        for (uint32_t i = 0; i < info.mode_count; i++)
            field[i] = 0;
        field[optinc_circuit_input_mode(circuit)[j]] = 1;
        for (size_t k = 0; k < info.element_count; k++) {
            const optinc_element *e = &elements[k];
            double complex a = field[e->mode_a], b = field[e->mode_b], p, q;

            assert_true(e->mode_a < info.mode_count && e->mode_b < info.mode_count);
            assert_true(e->mode_a != e->mode_b);
            if (e->splitter) {
                field[e->mode_a] = cos(e->angle_rad) * a - sin(e->angle_rad) * b;
                field[e->mode_b] = sin(e->angle_rad) * a + cos(e->angle_rad) * b;
                continue;
            }
            assert_true(e->in_rad >= 0 && e->in_rad < 2 * PI);
            assert_true(e->arm_a_rad >= 0 && e->arm_a_rad < 2 * PI);
            a *= cexp(I * e->in_rad);
            p = (a + I * b) / sqrt(2) * cexp(I * e->arm_a_rad);
            q = (I * a + b) / sqrt(2) * cexp(I * e->arm_b_rad);
            field[e->mode_a] = (p + I * q) / sqrt(2);
            field[e->mode_b] = (I * p + q) / sqrt(2);
        }
        for (uint32_t i = 0; i < info.rows; i++)
            out[i * info.cols + j] = field[optinc_circuit_output_mode(circuit)[i]] *
                                     cexp(I * optinc_circuit_output_rad(circuit)[i]);
    }
    free(field);
    return out;
}

static void check_circuit(const optinc_circuit *circuit, const double *matrix, double norm)
{
    const optinc_device ideal = optinc_device_ideal();
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    size_t count = (size_t)info.rows * info.cols;
    uint32_t side = info.rows > info.cols ? info.rows : info.cols;
    double tolerance = 1e-12 * side * (1 + norm);
    double complex *own = transfer(circuit);
    double *compiled = malloc(2 * count * sizeof *compiled);

    memset(compiled, 0xA5, 2 * count * sizeof *compiled);
    assert_int_equal(optinc_circuit_compile(circuit, &ideal, NULL, compiled), OPTINC_OK);
    if (!(matrix_difference(compiled, (double *)own, count) <= 1e-12 * side))
        fail_msg("compiled differs by %g", matrix_difference(compiled, (double *)own, count));
    for (size_t i = 0; i < count; i++) {
        double gain = optinc_circuit_gain(circuit)[i / info.cols];

        if (!(fabs(gain * creal(own[i]) - matrix[i]) <= tolerance))
            fail_msg("entry %zu of %u x %u: %.17g, expected %.17g", i, info.rows, info.cols,
                     gain * creal(own[i]), matrix[i]);
        if (!(fabs(gain * cimag(own[i])) <= tolerance))
            fail_msg("entry %zu is not real: %g", i, gain * cimag(own[i]));
    }
    free(own);
    free(compiled);
}

static double frobenius(const double *matrix, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += matrix[i] * matrix[i];
    return sqrt(sum);
}

static void check_map(uint32_t rows, uint32_t cols, const double *matrix,
                      optinc_circuit_options options, size_t mzis)
{
    optinc_circuit *circuit = NULL;

    assert_int_equal(optinc_circuit_create(rows, cols, matrix, &options, NULL, &circuit),
                     OPTINC_OK);
    check_circuit(circuit, matrix, frobenius(matrix, (size_t)rows * cols));
    if (mzis)
        assert_int_equal(optinc_circuit_describe(circuit).mzi_count, mzis);
    optinc_circuit_destroy(&circuit);
    optinc_circuit_destroy(&circuit);
}

static size_t svd_mzis(size_t rows, size_t cols)
{
    return rows * (rows - 1) / 2 + cols * (cols - 1) / 2 + (rows < cols ? rows : cols);
}

/* Wide, tall, square, side 1; rank-deficient, a row of zeros, all zero; huge and tiny entries. */
static void test_svd(void **state)
{
    static const uint32_t shapes[][2] = {{1, 1}, {1, 6}, {6, 1}, {4, 7}, {7, 4}, {8, 8}, {20, 13}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int layout = 0; layout < 2; layout++)
            for (int form = 0; form < 2; form++) {
                uint32_t rows = shapes[i][0], cols = shapes[i][1];
                double *m = matrix_gaussian(rows, cols, i);
                optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SVD,
                                                  .layout = (optinc_mesh_layout)layout,
                                                  .form = form ? OPTINC_CELL_SYMMETRIC
                                                               : OPTINC_CELL_PHYSICAL};

                check_map(rows, cols, m, options, svd_mzis(rows, cols));
                for (uint32_t c = 0; c < cols && rows > 2; c++) {
                    m[cols + c] = 3 * m[c];
                    m[2 * cols + c] = 0;
                }
                check_map(rows, cols, m, options, svd_mzis(rows, cols));
                for (uint32_t c = 0; c < cols; c++)
                    m[c] *= c % 2 ? 1e-12 : 1e12;
                check_map(rows, cols, m, options, svd_mzis(rows, cols));
                memset(m, 0, (size_t)rows * cols * sizeof *m);
                check_map(rows, cols, m, options, svd_mzis(rows, cols));
                free(m);
            }
}

static void test_svd_complex(void **state)
{
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SVD};
    double *m = matrix_gaussian(5, 2 * 9, 77);
    optinc_circuit *circuit = NULL;
    double complex *own;

    (void)state;
    assert_int_equal(optinc_circuit_create_complex(5, 9, m, &options, NULL, &circuit), OPTINC_OK);
    own = transfer(circuit);
    for (int i = 0; i < 45; i++) {
        double complex w = optinc_circuit_gain(circuit)[i / 9] * own[i];

        assert_true(cabs(w - (m[2 * i] + I * m[2 * i + 1])) <= 1e-11);
    }
    free(own);
    free(m);
    optinc_circuit_destroy(&circuit);
}

/* Blocks diag(d) U of several sides, one d of zero; 1 x 3 and 3 x 1 blocks need uneven trees. */
static void test_segmented(void **state)
{
    static const uint32_t shapes[][3] = {{4, 4, 4}, {8, 4, 4}, {4, 12, 4}, {6, 9, 3}, {5, 5, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        uint32_t rows = shapes[i][0], cols = shapes[i][1], side = shapes[i][2];
        double *m = calloc((size_t)rows * cols, sizeof *m);
        double *d = matrix_gaussian(rows, cols, 50 + i);
        optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SEGMENTED,
                                          .segment_side = side};

        d[0] = 0;
        for (uint32_t r = 0; r < rows / side; r++)
            for (uint32_t c = 0; c < cols / side; c++) {
                double *u = matrix_haar(side, 100 * i + 10 * r + c, 0);

                for (uint32_t k = 0; k < side * side; k++)
                    m[(r * side + k / side) * cols + c * side + k % side] =
                        d[(r * side + k / side) * cols + c] * u[2 * k];
                free(u);
            }
        check_map(rows, cols, m, options,
                  (size_t)(rows / side) * (cols / side) * (side * (side - 1) / 2 + side));
        free(m);
        free(d);
    }
}

static void note_message(void *user, optinc_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 512, "%s", message);
}

static void test_bad_input(void **state)
{
    char message[512] = "";
    const optinc_log log = {note_message, message};
    double *m = matrix_gaussian(4, 4, 9);
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_SEGMENTED, .segment_side = 4};
    optinc_device device = optinc_device_ideal();
    optinc_circuit *circuit = (optinc_circuit *)1;
    double out[32];

    (void)state;
    assert_int_equal(optinc_circuit_create(4, 4, m, &options, &log, &circuit),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(circuit);
    assert_non_null(strstr(message, "rows overlap by"));
    options.segment_side = 3;
    assert_int_equal(optinc_circuit_create(4, 4, m, &options, &log, &circuit),
                     OPTINC_ERR_INVALID_ARGUMENT);
    options.mapping = OPTINC_MAPPING_SVD;
    m[6] = NAN;
    assert_int_equal(optinc_circuit_create(4, 4, m, &options, &log, &circuit),
                     OPTINC_ERR_NON_FINITE);
    assert_non_null(strstr(message, "(1, 2)"));
    m[6] = 0;
    assert_int_equal(optinc_circuit_create(4, 4, m, &options, &log, &circuit), OPTINC_OK);
    device.phase_sigma_rad = -0.1;
    assert_int_equal(optinc_circuit_compile(circuit, &device, NULL, out),
                     OPTINC_ERR_INVALID_ARGUMENT);
    optinc_circuit_destroy(&circuit);
    free(m);
}

/* The shape of a constructed stage: three steps of one sum with three biases, its pass-through, two
 * plain waveguides. Fan-in of 4 (3 MZIs), fan-out to 4 (3), bias to 3 (2), added (3): 11 in all. */
static void test_direct(void **state)
{
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_DIRECT, .bias_last = true};
    double stage[6 * 7] = {0}, *m = matrix_gaussian(9, 6, 4);

    (void)state;
    for (int r = 0; r < 4; r++) {
        for (int c = 0; c < 4; c++)
            stage[7 * r + c] = r < 3 ? -24 : 0.25;
        stage[7 * r + 6] = r < 3 ? 3.5 - 4 * r : 0;
    }
    stage[7 * 4 + 4] = 1;
    stage[7 * 5 + 5] = -0.5;
    check_map(6, 7, stage, options, 11);
    check_map(9, 6, m, options, 0); /* dense */
    options.bias_last = false;
    check_map(9, 6, m, options, 0);
    for (int i = 0; i < 54; i++)
        m[i] = i % 7 ? 0 : m[i]; /* sparse, with rows of zeros */
    check_map(9, 6, m, options, 0);
    memset(m, 0, 54 * sizeof *m);
    check_map(9, 6, m, options, 0);
    options.bias_last = true;
    m[5] = -2; /* a bias alone */
    check_map(9, 6, m, options, 0);
    free(m);
}

/* With the MZIs' loss known, direct circuits compute the matrix through lossy MZIs. */
static void test_direct_loss(void **state)
{
    double *m = matrix_gaussian(7, 6, 40), compiled[2 * 42];
    optinc_circuit_options options = {
        .mapping = OPTINC_MAPPING_DIRECT, .bias_last = true, .loss_db = 0.99};
    optinc_device device = optinc_device_ideal();
    optinc_circuit *circuit = NULL;

    (void)state;
    for (int i = 0; i < 42; i++)
        m[i] = i % 3 == 1 ? 0 : m[i];
    for (int c = 0; c < 5; c++)
        m[c] = 3 * m[6 + c]; /* two rows that differ in their bias */
    device.mzi_loss_db = 0.99;
    assert_int_equal(optinc_circuit_create(7, 6, m, &options, NULL, &circuit), OPTINC_OK);
    assert_int_equal(optinc_circuit_compile(circuit, &device, NULL, compiled), OPTINC_OK);
    for (int i = 0; i < 42; i++)
        assert_true(fabs(optinc_circuit_gain(circuit)[i / 6] * compiled[2 * i] - m[i]) <= 1e-11);
    optinc_circuit_destroy(&circuit);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_svd),       cmocka_unit_test(test_svd_complex),
        cmocka_unit_test(test_segmented), cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_direct),    cmocka_unit_test(test_direct_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
