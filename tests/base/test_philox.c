/* SPDX-License-Identifier: Apache-2.0 */
/* Identity: the known answers of Random123's kat_vectors; the vector versions equal the plain one
 * word for word; moments of what is made of the words. */
#include "base/philox.h"
#include "base/philox_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

/* The three philox4x32-10 lines of Random123's tests/kat_vectors, their counter and key in the
 * places that (seed, step, index, purpose) go to. */
static void test_known_answers(void **state)
{
    static const struct {
        uint64_t seed, step, index;
        uint32_t purpose;
        uint32_t expected[4];
    } cases[] = {
        {0, 0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX,
         UINT64_MAX >> 8,
         UINT64_MAX,
         0xFF,
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822u,
         0x0070734413198a2eu,
         0x85a308d3243f6a88u,
         0x03,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t word[4];

        memset(word, 0xA5, sizeof word);
        oi_philox(cases[i].seed, cases[i].step, cases[i].index, (oi_purpose)cases[i].purpose, word);
        assert_memory_equal(word, cases[i].expected, sizeof word);
    }
}

static void assert_words(uint64_t seed, uint64_t step, uint64_t first, size_t count)
{
    uint32_t words[300];

    assert_true(count + 2 <= sizeof words / sizeof words[0]);
    memset(words, 0xA5, sizeof words);
    oi_philox_words(seed, step, first, count, OI_PURPOSE_TEST, words + 1);
    for (size_t i = 0; i < count; i++) {
        uint32_t block[4];

        oi_philox(seed, step, (first + i) / 4, OI_PURPOSE_TEST, block);
        assert_int_equal(words[1 + i], block[(first + i) % 4]);
    }
    assert_int_equal(words[0], 0xA5A5A5A5u);
    assert_int_equal(words[1 + count], 0xA5A5A5A5u);
}

static void test_words_equal_single_draws(void **state)
{
    (void)state;
    for (uint64_t first = 0; first < 5; first++)
        for (size_t count = 0; count < 140; count++)
            assert_words(12345, 678, first, count);
    /* the index passes 2^32 and 2^33 within a vector; the largest key and step */
    assert_words(UINT64_MAX, UINT64_MAX >> 8, 4 * (((uint64_t)1 << 32) - 3) + 1, 200);
    assert_words(1, (uint64_t)1 << 40, 4 * (((uint64_t)1 << 33) - 9), 298);
}

typedef size_t words_function(uint64_t, uint64_t, uint64_t, size_t, oi_purpose, uint32_t *);

static void assert_vector_words(words_function *function, size_t lanes)
{
    uint32_t words[4 * 20], block[4];
    size_t done;

    memset(words, 0xA5, sizeof words);
    done = function(99, 7, ((uint64_t)1 << 32) - 5, 20, OI_PURPOSE_SAMPLE, words);
    assert_int_equal(done, 20 / lanes * lanes);
    for (size_t i = 0; i < done; i++) {
        oi_philox(99, 7, ((uint64_t)1 << 32) - 5 + i, OI_PURPOSE_SAMPLE, block);
        assert_memory_equal(words + 4 * i, block, sizeof block);
    }
    assert_int_equal(function(99, 7, 0, lanes - 1, OI_PURPOSE_SAMPLE, words), 0);
}

static void test_every_vector_version(void **state)
{
    (void)state;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        assert_vector_words(oi_philox_words_avx2, 4);
    if (__builtin_cpu_supports("avx512f"))
        assert_vector_words(oi_philox_words_avx512, 8);
#else
    (void)assert_vector_words;
    skip();
#endif
}

static void test_every_argument_matters(void **state)
{
    uint32_t base[4], other[4];

    (void)state;
    oi_philox(1, 2, 3, OI_PURPOSE_QUANTISE, base);
    for (int i = 0; i < 56; i++) {
        uint64_t bit = (uint64_t)1 << i;

        oi_philox(1 ^ bit, 2, 3, OI_PURPOSE_QUANTISE, other);
        assert_memory_not_equal(base, other, sizeof base);
        oi_philox(1, 2 ^ bit, 3, OI_PURPOSE_QUANTISE, other);
        assert_memory_not_equal(base, other, sizeof base);
        oi_philox(1, 2, 3 ^ bit, OI_PURPOSE_QUANTISE, other);
        assert_memory_not_equal(base, other, sizeof base);
    }
    oi_philox(1, 2, 3, OI_PURPOSE_SWITCH_ROUNDING, other);
    assert_memory_not_equal(base, other, sizeof base);
}

static void test_uniform_ends(void **state)
{
    (void)state;
    assert_true(oi_uniform_float(0) == 0.0f);
    assert_true(oi_uniform_float(UINT32_MAX) == 1.0f - 0x1p-24f);
    assert_true(oi_uniform_double(0, 0) == 0.0);
    assert_true(oi_uniform_double(UINT32_MAX, UINT32_MAX) == 1.0 - 0x1p-53);
    assert_true(oi_uniform_double(0x80000000u, 0) == 0.5);
}

/* n standard normal values: the k-th sample moment has variance (m_2k - m_k^2)/n; 5 sigma. */
static void test_normal_moments(void **state)
{
    const int pairs = 100000;
    static const double moment[9] = {1, 0, 1, 0, 3, 0, 15, 0, 105};
    double sum[5] = {0}, product = 0;
    double n = 2.0 * pairs;

    (void)state;
    for (int i = 0; i < pairs; i++) {
        uint32_t word[4];
        double normal[2] = {NAN, NAN};

        oi_philox(4, 0, (uint64_t)i, OI_PURPOSE_TEST, word);
        oi_normal_pair(word, normal);
        for (int k = 1; k <= 4; k++)
            sum[k] += pow(normal[0], k) + pow(normal[1], k);
        product += normal[0] * normal[1];
    }
    for (int k = 1; k <= 4; k++) {
        double sigma = sqrt((moment[2 * k] - moment[k] * moment[k]) / n);

        if (!(fabs(sum[k] / n - moment[k]) <= 5 * sigma))
            fail_msg("moment %d is %g", k, sum[k] / n);
    }
    if (!(fabs(product / pairs) <= 5 / sqrt(pairs)))
        fail_msg("covariance %g", product / pairs);
}

static void test_normal_is_finite_at_the_ends(void **state)
{
    static const uint32_t ends[2] = {0, UINT32_MAX};

    (void)state;
    for (int i = 0; i < 16; i++) {
        uint32_t word[4] = {ends[i & 1], ends[i >> 1 & 1], ends[i >> 2 & 1], ends[i >> 3 & 1]};
        double normal[2];

        oi_normal_pair(word, normal);
        /* sqrt(-2 log 2^-53) = 8.57 */
        if (!(fabs(normal[0]) <= 8.6 && fabs(normal[1]) <= 8.6))
            fail();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_words_equal_single_draws),
        cmocka_unit_test(test_every_vector_version),
        cmocka_unit_test(test_every_argument_matters),
        cmocka_unit_test(test_uniform_ends),
        cmocka_unit_test(test_normal_moments),
        cmocka_unit_test(test_normal_is_finite_at_the_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
