/* SPDX-License-Identifier: Apache-2.0 */
/* The backend photonic. Precondition: constructed units are exact. Identities: without faults it
 * gives the integers' answers (the conformance suite); with faults and noise it repeats to the bit,
 * and the noise that it adds is that of the formula. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/philox.h"
#include "optics/photonic.h"
#include "optinc/onn.h"
#include "switch/conformance.h"

static optinc_design *construct(uint32_t ports, uint32_t bits, optinc_variant variant,
                                optinc_activation activation)
{
    optinc_construct_options options = {.activation = activation};
    optinc_design *design = NULL;
    optinc_spec spec;

    assert_int_equal(optinc_spec_single(ports, bits, variant, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_construct(&spec, &options, NULL, &design), OPTINC_OK);
    return design;
}

static void conform(const optinc_design *design, const optinc_photonic_options *options,
                    size_t element_count_max, bool noisy)
{
    const conformance suite = {.design = design,
                               .backend = optinc_backend_photonic(),
                               .backend_options = options,
                               .noisy = noisy,
                               .element_count_max = element_count_max,
                               .seed = 17};

    conformance_run(&suite);
}

static void test_conformance(void **state)
{
    static const struct {
        uint32_t ports, bits;
        optinc_variant variant;
        optinc_activation activation;
    } cases[] = {
        {4, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING},
        {4, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_RELU},
        {2, 6, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING},
        {8, 16, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING},
        {8, 8, OPTINC_VARIANT_STOCHASTIC, OPTINC_ACTIVATION_SATURATING},
        {4, 10, OPTINC_VARIANT_RESIDUAL, OPTINC_ACTIVATION_RELU},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        optinc_design *design =
            construct(cases[i].ports, cases[i].bits, cases[i].variant, cases[i].activation);
        optinc_photonic_options options = optinc_photonic_defaults();

        conform(design, NULL, i ? 4100 : 0, false);
        options.direct = true;
        options.bias_electronic = i % 2;
        conform(design, &options, 1025, false);
        options.direct = false;
        options.form = OPTINC_CELL_SYMMETRIC;
        options.layout = OPTINC_MESH_TRIANGULAR;
        conform(design, &options, 333, false);
        optinc_design_destroy(&design);
    }
}

static optinc_photonic_options faulty(void)
{
    optinc_photonic_options options = optinc_photonic_defaults();

    options.device.phase_sigma_rad = 0.02;
    options.device.splitter_sigma_rad = 0.02;
    options.device.modulator_extinction_db = 15;
    options.device.receiver_noise_pa_per_sqrt_hz = 20;
    options.device.receiver_shot_noise = 1;
    options.device.laser_rin_db_per_hz = -140;
    options.device.dac_bits = 8;
    options.device.mzi_loss_db = 0.3;
    options.device.crosstalk = 0.01;
    options.device.drift_rad_per_sqrt_s = 1e-3;
    options.drift_time_s = 10;
    options.seed = 99;
    return options;
}

/* All faults at once: same bits for any threads and chunks (the suite), of single switches and of a
 * tree, and answers that are wrong now and then. */
static void test_noisy_conformance(void **state)
{
    optinc_photonic_options options = faulty();
    optinc_design *design = construct(4, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_RELU);
    optinc_unit units[2];
    optinc_design *lower = NULL, *upper = NULL, *tree = NULL;
    optinc_spec spec = {.ports = 4,
                        .bits_in = 10,
                        .bits_out = 8,
                        .divisor_log2 = 4,
                        .variant = OPTINC_VARIANT_HALF_UP,
                        .zero_code = 512};

    (void)state;
    conform(design, &options, 0, true);
    optinc_design_destroy(&design);
    lower = construct(4, 8, OPTINC_VARIANT_RESIDUAL, OPTINC_ACTIVATION_SATURATING);
    assert_int_equal(optinc_construct(&spec, NULL, NULL, &upper), OPTINC_OK);
    units[0] = *optinc_design_unit(lower, 0);
    units[1] = *optinc_design_unit(upper, 0);
    assert_int_equal(optinc_design_create(units, 2, NULL, &tree), OPTINC_OK);
    conform(tree, &options, 1025, true);
    conform(tree, NULL, 1025, false);
    optinc_design_destroy(&lower);
    optinc_design_destroy(&upper);
    optinc_design_destroy(&tree);
}

/* Codes that differ from the exact ones, of 4,096 random elements. */
static uint32_t count_errors(const optinc_design *design, const optinc_photonic_options *options,
                             uint64_t seed, uint64_t step, uint8_t *result)
{
    enum { COUNT = 4096 };
    const optinc_stream stream = {.seed = seed, .step = step};
    optinc_switch_options own = {.thread_count = 1, .backend_options = options};
    uint8_t *symbols = malloc(4 * COUNT);
    optinc_switch *sw = NULL;
    uint32_t wrong = 0;

    oi_philox_words(3, 0, 0, COUNT, OI_PURPOSE_TEST, (uint32_t *)symbols);
    memset(result, 0xA5, COUNT);
    assert_int_equal(optinc_switch_create(design, optinc_backend_photonic(), &own, NULL, &sw),
                     OPTINC_OK);
    assert_int_equal(optinc_switch_reduce(sw, symbols, COUNT, 4, COUNT, &stream, result),
                     OPTINC_OK);
    for (int i = 0; i < COUNT; i++) {
        uint32_t total = 2;

        for (int port = 0; port < 4; port++)
            total += symbols[port * COUNT + i];
        wrong += result[i] != total / 4;
    }
    optinc_switch_destroy(&sw);
    free(symbols);
    return wrong;
}

/* Each seed and step of noise, and each chip, answers differently; faults in one layer do less than
 * in all; error correction mends what couplers and shifters did. */
static void test_faults(void **state)
{
    optinc_photonic_options options = optinc_photonic_defaults();
    optinc_design *design = construct(4, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING);
    uint8_t *first = malloc(4096), *second = malloc(4096);
    uint32_t all, one = 0;

    (void)state;
    assert_int_equal(count_errors(design, NULL, 1, 1, first), 0);
    options.device.receiver_noise_pa_per_sqrt_hz = 500;
    assert_true(count_errors(design, &options, 1, 1, first) > 0);
    count_errors(design, &options, 1, 1, second);
    assert_memory_equal(first, second, 4096);
    count_errors(design, &options, 2, 1, second);
    assert_true(memcmp(first, second, 4096));
    count_errors(design, &options, 1, 2, second);
    assert_true(memcmp(first, second, 4096));
    options = optinc_photonic_defaults();
    options.device.phase_sigma_rad = 0.05;
    options.device.splitter_sigma_rad = 0.02;
    all = count_errors(design, &options, 1, 1, first);
    assert_true(all > 100);
    options.chip_first = 1;
    count_errors(design, &options, 1, 1, second);
    assert_true(memcmp(first, second, 4096));
    options.chip_first = 0;
    for (options.fault_layer = 1; options.fault_layer <= 5; options.fault_layer++)
        one += count_errors(design, &options, 1, 1, first) < all;
    assert_true(one >= 4);
    options.fault_layer = 0;
    options.direct = options.correct_errors = true;
    assert_int_equal(count_errors(design, &options, 1, 1, first), 0);
    free(first);
    free(second);
    optinc_design_destroy(&design);
}

/* Box-Muller's moments, and every kernel's bits. 2^20 normals: standard errors of the mean 0.001, of
 * the square 0.0014, of the fourth power 0.01. */
static void test_kernels(void **state)
{
    enum { COUNT = 1 << 20, ROWS = 9, COLS = 7 };
    const oi_photonic_kernels *others[2] = {NULL, NULL};
    uint32_t *words = malloc(COUNT * sizeof *words);
    float *normal = malloc(COUNT * sizeof *normal), *again = malloc(COUNT * sizeof *again);
    static double a[ROWS * COLS], x[COLS * 64], y[ROWS * 64], z[ROWS * 64];
    double sum[4] = {0}, peak = 0;

    (void)state;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        others[0] = &oi_photonic_kernels_avx2;
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        others[1] = &oi_photonic_kernels_avx512;
#endif
    oi_philox_words(1, 2, 0, COUNT, OI_PURPOSE_TEST, words);
    for (int i = 0; i < 4; i++) /* the ends of the range */
        words[i] = i < 2 ? 0 : UINT32_MAX;
    oi_photonic_kernels_plain.normals(words, COUNT / 2, normal);
    for (int i = 0; i < COUNT; i++) {
        double n = normal[i], u = (words[i / 2 * 2] + 0.5) / 4294967296.0;
        double radius = sqrt(-2 * log(u));

        assert_true(isfinite(normal[i]));
        /* a turn's quarters are centred: a rotation of the angle, so compare the radius */
        if (i % 2 == 0)
            assert_true(fabs(hypot(n, (double)normal[i + 1]) - radius) <= 2e-3);
        sum[0] += n;
        sum[1] += n * n;
        sum[2] += n * n * n * n;
        sum[3] += i % 2 ? n * (double)normal[i - 1] : 0;
        peak = fmax(peak, fabs(n));
    }
    assert_true(fabs(sum[0] / COUNT) <= 0.005);
    assert_true(fabs(sum[1] / COUNT - 1) <= 0.007);
    assert_true(fabs(sum[2] / COUNT - 3) <= 0.05);
    assert_true(fabs(sum[3] / COUNT) <= 0.005);
    assert_true(peak > 4 && peak < 6.8);
    for (int i = 0; i < ROWS * COLS; i++)
        a[i] = (double)normal[i];
    for (int i = 0; i < COLS * 64; i++)
        x[i] = (double)normal[1000 + i];
    for (int k = 0; k < 2; k++) {
        if (!others[k])
            continue;
        memset(again, 0xA5, COUNT * sizeof *again);
        others[k]->normals(words, COUNT / 2, again);
        assert_memory_equal(normal, again, COUNT * sizeof *normal);
        oi_photonic_kernels_plain.multiply(ROWS, COLS, a, x, false, y);
        others[k]->multiply(ROWS, COLS, a, x, false, z);
        assert_memory_equal(y, z, sizeof y);
        for (int act = 0; act < 3; act++) {
            oi_photonic_kernels_plain.receive(y, 0.1, 0.2, 0.3, normal, 3, (optinc_activation)act,
                                              0.7);
            others[k]->receive(z, 0.1, 0.2, 0.3, normal, 3, (optinc_activation)act, 0.7);
            assert_memory_equal(y, z, sizeof y);
        }
        oi_photonic_kernels_plain.leak(x, y);
        others[k]->leak(x, z);
        assert_memory_equal(y, z, sizeof y);
    }
    for (int i = 0; i < 64; i++) {
        double expected = 0;

        for (int c = 0; c < COLS; c++)
            expected += a[c] * x[c * 64 + i];
        oi_photonic_kernels_plain.multiply(1, COLS, a, x, false, y);
        assert_true(fabs(y[i] - expected) <= 1e-13);
    }
    free(words);
    free(normal);
    free(again);
}

static void test_bad_options(void **state)
{
    optinc_design *design = construct(4, 8, OPTINC_VARIANT_HALF_UP, OPTINC_ACTIVATION_SATURATING);
    const optinc_backend *backend = optinc_backend_photonic();
    optinc_photonic_options options = optinc_photonic_defaults();
    optinc_switch_options own = {.backend_options = &options};
    void *made = &own;

    (void)state;
    options.device.phase_sigma_rad = -1;
    assert_int_equal(backend->create(optinc_design_unit(design, 0), &own, NULL, &made),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(made);
    options = optinc_photonic_defaults();
    options.drift_time_s = NAN;
    assert_int_equal(backend->create(optinc_design_unit(design, 0), &own, NULL, &made),
                     OPTINC_ERR_INVALID_ARGUMENT);
    options = optinc_photonic_defaults();
    options.fault_layer = 6;
    assert_int_equal(backend->create(optinc_design_unit(design, 0), &own, NULL, &made),
                     OPTINC_ERR_INVALID_ARGUMENT);
    optinc_design_destroy(&design);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance), cmocka_unit_test(test_noisy_conformance),
        cmocka_unit_test(test_faults),      cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_bad_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
