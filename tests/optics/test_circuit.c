/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit computes the matrix that it was made from. Identity: W = diag(gain) Re(diag(e^(i out)) S),
 * S multiplied out here, element by element, from the definition in optinc/optics.h. Compiled without
 * faults it is the same; each fault alone has the effect that theory gives it. */
#include <complex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "optinc/optics.h"
#include "unitary.h"

#define PI 3.14159265358979323846

static double *random_matrix(uint32_t rows, uint32_t cols, uint64_t seed)
{
    double *m = calloc((size_t)rows * cols + 1, sizeof *m), pair[2];

    for (size_t i = 0; i < (size_t)rows * cols; i++) {
        uint32_t word[4];

        oi_philox(seed, 1, i, OI_PURPOSE_TEST, word);
        oi_normal_pair(word, pair);
        m[i] = pair[0];
    }
    return m;
}

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
                double *m = random_matrix(rows, cols, i);
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
    double *m = random_matrix(5, 2 * 9, 77);
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
        double *d = random_matrix(rows, cols, 50 + i);
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
    double *m = random_matrix(4, 4, 9);
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
    double stage[6 * 7] = {0}, *m = random_matrix(9, 6, 4);

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
    double *m = random_matrix(7, 6, 40), compiled[2 * 42];
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
    double *m = random_matrix(6, 5, 12);
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
    double *haar = matrix_haar(8, 21, 0), *gauss = random_matrix(8, 8, 22), *m;

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
    double *m = random_matrix(4, 5, 60), *large = random_matrix(24, 24, 61), sum[2] = {0, 0};
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
        cmocka_unit_test(test_svd),        cmocka_unit_test(test_svd_complex),
        cmocka_unit_test(test_segmented),  cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_direct),     cmocka_unit_test(test_direct_loss),
        cmocka_unit_test(test_fault_size), cmocka_unit_test(test_faults_alone),
        cmocka_unit_test(test_correction), cmocka_unit_test(test_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
