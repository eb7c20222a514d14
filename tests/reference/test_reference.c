/* SPDX-License-Identifier: Apache-2.0 */
/* Preconditions: none. Identity: r = floor((T + offset) / D) with T = sum_j 4^j s_j, checked
 * against sums of codes and comparisons, for single, residual and cascaded switches. */
#include "optinc/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

typedef unsigned __int128 wide;

static optinc_spec single(uint32_t ports, uint32_t bits, optinc_variant variant)
{
    optinc_spec spec;

    memset(&spec, 0xA5, sizeof spec);
    assert_int_equal(optinc_spec_single(ports, bits, variant, NULL, &spec), OPTINC_OK);
    assert_int_equal(optinc_spec_check(&spec, NULL), OPTINC_OK);
    return spec;
}

/* r is the one integer with r D <= T + offset < (r + 1) D. */
static void assert_floor(uint64_t r, uint64_t total, uint64_t offset, uint64_t divisor)
{
    assert_true((wide)r * divisor <= (wide)total + offset);
    assert_true((wide)total + offset < ((wide)r + 1) * divisor);
}

/* Every pair of 8-bit codes: the half-up mean is (a + b + 1) / 2, the residual a + b. */
static void test_two_ports_exhaustive(void **state)
{
    optinc_spec mean = single(2, 8, OPTINC_VARIANT_HALF_UP);
    optinc_spec residual = single(2, 8, OPTINC_VARIANT_RESIDUAL);
    optinc_spec stochastic = single(2, 8, OPTINC_VARIANT_STOCHASTIC);

    (void)state;
    assert_int_equal(residual.bits_out, 10);
    for (uint32_t a = 0; a < 256; a++)
        for (uint32_t b = 0; b < 256; b++) {
            double exact = (a + b) / 2.0;
            uint32_t sums[4];

            for (uint32_t j = 0; j < 4; j++)
                sums[j] = ((a >> 2 * j) & 3) + ((b >> 2 * j) & 3);
            assert_int_equal(optinc_reference_result(&mean, a + b, 0),
                             (uint64_t)floor(exact + 0.5));
            assert_int_equal(optinc_reference_digits(&mean, sums, 0), (a + b + 1) / 2);
            assert_int_equal(optinc_reference_digits(&residual, sums, 0), a + b);
            assert_int_equal(optinc_reference_digits(&stochastic, sums, 0), (uint64_t)floor(exact));
            assert_int_equal(optinc_reference_digits(&stochastic, sums, 1), (uint64_t)ceil(exact));
        }
}

/* All 28,561 digit-sum cases of N = 4, B = 8: the cases enumerate every vector once, and r is the
 * floor of the mean plus a half. */
static void test_cases_exhaustive(void **state)
{
    optinc_spec spec = single(4, 8, OPTINC_VARIANT_HALF_UP);
    uint32_t expected[4] = {0};

    (void)state;
    assert_int_equal(optinc_spec_case_count(&spec), 28561);
    for (uint64_t index = 0; index < 28561; index++) {
        uint32_t sums[4];
        uint64_t total = 0;

        memset(sums, 0xA5, sizeof sums);
        optinc_case_digit_sums(&spec, index, sums);
        assert_memory_equal(sums, expected, sizeof sums);
        for (uint32_t j = 0; j < 4; j++)
            total += (uint64_t)sums[j] << 2 * j;
        assert_floor(optinc_reference_digits(&spec, sums, 0), total, 2, 4);
        for (uint32_t j = 0; j < 4 && ++expected[j] == 13; j++)
            expected[j] = 0;
    }
}

static void test_all_sizes_at_the_extremes(void **state)
{
    (void)state;
    for (uint32_t ports = 2; ports <= 64; ports *= 2)
        for (uint32_t bits = 2; bits <= 32; bits += 2) {
            optinc_spec spec = single(ports, bits, OPTINC_VARIANT_HALF_UP);
            optinc_spec residual = single(ports, bits, OPTINC_VARIANT_RESIDUAL);
            uint64_t code_max = ((uint64_t)1 << bits) - 1;
            uint64_t digits_more = residual.bits_out / 2 - bits / 2;

            assert_int_equal(optinc_spec_digits_in(&spec), bits / 2);
            assert_int_equal(optinc_spec_digits_out(&spec), bits / 2);
            assert_int_equal(spec.zero_code, (uint64_t)1 << (bits - 1));
            assert_int_equal(optinc_reference_result(&spec, 0, 0), 0);
            assert_int_equal(optinc_reference_result(&spec, ports * code_max, 0), code_max);
            assert_int_equal(optinc_reference_result(&spec, ports * spec.zero_code, 0),
                             spec.zero_code);
            assert_int_equal(optinc_reference_result(&residual, ports * code_max, 0),
                             ports * code_max);
            /* ceil(log4 N): the fewest digits more that hold N */
            assert_true((uint64_t)1 << 2 * digits_more >= ports);
            assert_true((uint64_t)1 << 2 * (digits_more - 1) < ports);
        }
}

static void test_case_count_saturates(void **state)
{
    optinc_spec spec = single(64, 32, OPTINC_VARIANT_HALF_UP);
    optinc_spec fits = single(2, 32, OPTINC_VARIANT_HALF_UP);
    uint64_t product = 1;

    (void)state;
    assert_true(optinc_spec_case_count(&spec) == UINT64_MAX);
    for (int j = 0; j < 16; j++)
        product *= 7;
    assert_int_equal(optinc_spec_case_count(&fits), product);
}

/* Sixteen servers through four residual switches and one above equal one big mean. */
static void test_cascade_equals_flat(void **state)
{
    optinc_spec below = single(4, 8, OPTINC_VARIANT_RESIDUAL);
    optinc_spec above = {.ports = 4,
                         .bits_in = below.bits_out,
                         .bits_out = 8,
                         .divisor_log2 = 4,
                         .variant = OPTINC_VARIANT_HALF_UP,
                         .zero_code = 4 * below.zero_code};
    uint32_t random = 1;

    (void)state;
    assert_int_equal(optinc_spec_check(&above, NULL), OPTINC_OK);
    for (int trial = 0; trial < 1000; trial++) {
        uint64_t flat = 0, top = 0;

        for (int unit = 0; unit < 4; unit++) {
            uint64_t total = 0;

            for (int port = 0; port < 4; port++) {
                random = random * 1664525u + 1013904223u;
                total += random >> 24;
            }
            flat += total;
            top += optinc_reference_result(&below, total, 0);
        }
        assert_floor(optinc_reference_result(&above, top, 0), flat, 8, 16);
        assert_true(optinc_reference_result(&above, top, 0) < 256);
    }
}

/* The mean over many offsets of floor((T + u)/D) is T/D: with n draws its standard deviation is at
 * most 1/2/sqrt(n); 5 sigma. The offsets themselves: every value of 0 .. D-1, chi-squared. */
static void test_stochastic_is_unbiased(void **state)
{
    optinc_spec spec = single(16, 8, OPTINC_VARIANT_STOCHASTIC);
    const uint64_t draws = 1 << 16;
    uint32_t seen[16] = {0};
    optinc_stream stream = {.seed = 7, .step = 3, .element_first = 99};
    double chi_squared = 0;

    (void)state;
    for (uint64_t total = 1000; total < 1016; total++) {
        double sum = 0, tolerance = 5 * 0.5 / sqrt((double)draws);

        for (uint64_t i = 0; i < draws; i++) {
            uint64_t offset = optinc_reference_offset(&spec, &stream, i);

            assert_true(offset < 16);
            seen[offset] += total == 1000;
            sum += (double)optinc_reference_result(&spec, total, offset);
        }
        if (!(fabs(sum / (double)draws - (double)total / 16) <= tolerance))
            fail();
    }
    for (int i = 0; i < 16; i++)
        chi_squared += pow(seen[i] - (double)draws / 16, 2) / ((double)draws / 16);
    /* 15 degrees of freedom: 44.3 is exceeded with probability 1e-4 */
    if (!(chi_squared <= 44.3))
        fail();
}

static void test_offset_is_keyed_by_seed_step_and_element(void **state)
{
    optinc_spec spec = {.ports = 64,
                        .bits_in = 40,
                        .bits_out = 4,
                        .divisor_log2 = 24,
                        .variant = OPTINC_VARIANT_STOCHASTIC};
    optinc_spec undivided = {.ports = 2,
                             .bits_in = 8,
                             .bits_out = 10,
                             .divisor_log2 = 0,
                             .variant = OPTINC_VARIANT_STOCHASTIC};
    optinc_stream a = {.seed = 1, .step = 1, .element_first = 0};
    optinc_stream seed = {.seed = 2, .step = 1, .element_first = 0};
    optinc_stream step = {.seed = 1, .step = 2, .element_first = 0};
    optinc_stream first = {.seed = 1, .step = 1, .element_first = 4096};
    int same = 0;

    (void)state;
    for (uint64_t i = 0; i < 64; i++) {
        uint64_t offset = optinc_reference_offset(&spec, &a, i);

        assert_true(offset < (uint64_t)1 << 24);
        assert_int_equal(offset, optinc_reference_offset(&spec, &first, i));
        same += offset == optinc_reference_offset(&spec, &seed, i);
        same += offset == optinc_reference_offset(&spec, &step, i);
        same += offset == optinc_reference_offset(&spec, &a, i + 1);
        assert_int_equal(optinc_reference_offset(&undivided, &a, i), 0);
    }
    assert_int_equal(same, 0);
}

typedef struct seen_log {
    int count;
    char last[512];
} seen_log;

static void remember(void *user, optinc_log_level level, const char *message)
{
    seen_log *seen = user;

    assert_int_equal(level, OPTINC_LOG_ERROR);
    seen->count++;
    strncpy(seen->last, message, sizeof seen->last - 1);
}

static void test_bad_specs_are_named(void **state)
{
    static const struct {
        optinc_spec spec;
        const char *named;
    } cases[] = {
        {{3, 8, 8, 2, OPTINC_VARIANT_HALF_UP, 128}, "ports"},
        {{0, 8, 8, 2, OPTINC_VARIANT_HALF_UP, 128}, "ports"},
        {{1, 8, 8, 0, OPTINC_VARIANT_HALF_UP, 128}, "ports"},
        {{128, 8, 8, 7, OPTINC_VARIANT_HALF_UP, 128}, "ports"},
        {{4, 7, 8, 2, OPTINC_VARIANT_HALF_UP, 64}, "bits_in"},
        {{4, 0, 8, 2, OPTINC_VARIANT_HALF_UP, 0}, "bits_in"},
        {{4, 50, 8, 2, OPTINC_VARIANT_HALF_UP, 0}, "bits_in"},
        {{4, 8, 9, 2, OPTINC_VARIANT_HALF_UP, 128}, "bits_out"},
        {{4, 8, 58, 2, OPTINC_VARIANT_HALF_UP, 128}, "bits_out"},
        {{4, 8, 8, 25, OPTINC_VARIANT_HALF_UP, 128}, "divisor_log2"},
        {{4, 8, 12, 2, OPTINC_VARIANT_RESIDUAL, 128}, "divisor_log2"},
        {{4, 8, 8, 2, (optinc_variant)3, 128}, "variant"},
        {{4, 8, 8, 2, OPTINC_VARIANT_HALF_UP, 256}, "zero_code"},
        /* results that do not fit */
        {{4, 8, 8, 1, OPTINC_VARIANT_HALF_UP, 128}, "bits_out"},
        {{4, 8, 6, 2, OPTINC_VARIANT_STOCHASTIC, 128}, "bits_out"},
        {{4, 8, 8, 0, OPTINC_VARIANT_RESIDUAL, 128}, "bits_out"},
        {{8, 8, 10, 0, OPTINC_VARIANT_RESIDUAL, 128}, "bits_out"},
        /* more bits in than servers below can account for, and a zero that none of them sends */
        {{4, 14, 8, 4, OPTINC_VARIANT_HALF_UP, 512}, "bits_out"},
        {{4, 10, 8, 4, OPTINC_VARIANT_HALF_UP, 1021}, "bits_out"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        seen_log seen = {0};
        optinc_log log = {remember, &seen};

        if (i == sizeof cases / sizeof cases[0] - 1) {
            /* 4 * 1023 / 16 = 255.75 rounds up to 256: only the reachable 1020 fits */
            assert_int_equal(optinc_reference_result(&cases[i].spec, 4 * 1023, 0), 256);
        }
        assert_int_equal(optinc_spec_check(&cases[i].spec, &log), OPTINC_ERR_INVALID_ARGUMENT);
        assert_int_equal(seen.count, 1);
        assert_non_null(strstr(seen.last, cases[i].named));
        assert_int_equal(optinc_spec_check(&cases[i].spec, NULL), OPTINC_ERR_INVALID_ARGUMENT);
    }
    assert_int_equal(optinc_spec_check(NULL, NULL), OPTINC_ERR_INVALID_ARGUMENT);
}

/* Trees of every shape whose levels follow the residual rule pass the check at every level. */
static void test_cascades_pass_the_check(void **state)
{
    (void)state;
    for (uint32_t ports_below = 2; ports_below <= 64; ports_below *= 2)
        for (uint32_t levels_below = 1; levels_below <= 7; levels_below++)
            for (uint32_t ports = 2; ports <= 64; ports *= 2)
                for (uint32_t bits = 2; bits <= 32; bits += 2) {
                    uint32_t below_log2 = (uint32_t)__builtin_ctz(ports_below);
                    uint32_t more = 2 * ((below_log2 + 1) / 2);
                    /* where bits_in is refused anyway, zero_code need not make sense */
                    optinc_spec top = {
                        .ports = ports,
                        .bits_in = bits + levels_below * more,
                        .bits_out = bits,
                        .divisor_log2 = levels_below * below_log2 + (uint32_t)__builtin_ctz(ports),
                        .variant = OPTINC_VARIANT_HALF_UP,
                        .zero_code = (uint64_t)1 << ((levels_below * below_log2 + bits - 1) % 64)};
                    bool fits = top.bits_in <= 48 && top.divisor_log2 <= 24;

                    assert_int_equal(optinc_spec_check(&top, NULL),
                                     fits ? OPTINC_OK : OPTINC_ERR_INVALID_ARGUMENT);
                    top.variant = OPTINC_VARIANT_STOCHASTIC;
                    assert_int_equal(optinc_spec_check(&top, NULL),
                                     fits ? OPTINC_OK : OPTINC_ERR_INVALID_ARGUMENT);
                }
}

static void test_bad_single_leaves_the_log(void **state)
{
    static const uint32_t bad[][2] = {{3, 8}, {128, 8}, {1, 8}, {0, 8}, {4, 7}, {4, 0}, {4, 34}};
    optinc_spec spec;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        seen_log seen = {0};
        optinc_log log = {remember, &seen};

        assert_int_equal(
            optinc_spec_single(bad[i][0], bad[i][1], OPTINC_VARIANT_HALF_UP, &log, &spec),
            OPTINC_ERR_INVALID_ARGUMENT);
        assert_int_equal(seen.count, 1);
    }
    assert_int_equal(optinc_spec_single(4, 8, (optinc_variant)9, NULL, &spec),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_ports_exhaustive),
        cmocka_unit_test(test_cases_exhaustive),
        cmocka_unit_test(test_all_sizes_at_the_extremes),
        cmocka_unit_test(test_case_count_saturates),
        cmocka_unit_test(test_cascade_equals_flat),
        cmocka_unit_test(test_stochastic_is_unbiased),
        cmocka_unit_test(test_offset_is_keyed_by_seed_step_and_element),
        cmocka_unit_test(test_bad_specs_are_named),
        cmocka_unit_test(test_cascades_pass_the_check),
        cmocka_unit_test(test_bad_single_leaves_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
