/* SPDX-License-Identifier: Apache-2.0 */
/* Identity: the byte is that of the smallest e, from optinc_exponent_min on, with
 * max|x| <= (2^(B-1)-1) 2^e, found here by trying every e in long double. */
#include "codec_test.h"

#include <float.h>

static uint8_t oracle_byte(const float *x, size_t count, uint32_t bits)
{
    long double largest = 0;

    for (size_t i = 0; i < count; i++) {
        if (isnan(x[i]) || isinf(x[i]))
            return OPTINC_EXPONENT_NON_FINITE;
        largest = fmaxl(largest, fabsl((long double)x[i]));
    }
    if (largest == 0)
        return OPTINC_EXPONENT_ZERO;
    for (int byte = 1; byte <= 254; byte++)
        if (largest <= ldexpl((long double)(((uint64_t)1 << (bits - 1)) - 1),
                              byte - 1 + optinc_exponent_min(bits)))
            return (uint8_t)byte;
    fail_msg("no byte holds %Lg", largest);
    return 0;
}

static void assert_exponents(const optinc_codec *codec, const float *x, size_t count)
{
    uint8_t exponents[600];
    size_t blocks = optinc_block_count(codec->block_size, count);

    assert_true(blocks < sizeof exponents);
    memset(exponents, 0xA5, sizeof exponents);
    assert_int_equal(optinc_codec_exponents(codec, x, count, exponents), OPTINC_OK);
    for (size_t block = 0; block < blocks; block++) {
        size_t first = block * codec->block_size;
        size_t some = count - first < codec->block_size ? count - first : codec->block_size;

        assert_int_equal(exponents[block], oracle_byte(x + first, some, codec->bits));
    }
    assert_int_equal(exponents[blocks], 0xA5);
}

/* The floats next to every limit (2^(B-1)-1) 2^e, and the ends of the format. */
static void test_around_every_limit(void **state)
{
    static const float ends[] = {0.0f,      -0.0f,      FLT_MAX,          -FLT_MAX, FLT_MIN,
                                 0x1p-149f, -0x1p-149f, 0x1.fffffcp-127f, 1.0f,     0x1.fffffep-1f};

    (void)state;
    for (uint32_t bits = 2; bits <= 32; bits += 2) {
        optinc_codec codec = optinc_codec_default(bits);

        for (int exponent = -149; exponent < 128; exponent++) {
            float limit =
                (float)ldexp((double)(((uint64_t)1 << (bits - 1)) - 1), exponent - (int)bits + 2);
            float x[5] = {limit, nextafterf(limit, 0), nextafterf(limit, INFINITY), 0, 0};

            if (isinf(limit) || isinf(x[2]))
                continue;
            for (int i = 0; i < 3; i++) {
                assert_exponents(&codec, x + i, 1);
                x[i] = -x[i];
                assert_exponents(&codec, x + i, 1);
            }
        }
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
            assert_exponents(&codec, ends + i, 1);
    }
}

static void test_documented_range(void **state)
{
    uint8_t byte = 0xA5;
    float largest = FLT_MAX;

    (void)state;
    for (uint32_t bits = 2; bits <= 32; bits += 2) {
        optinc_codec codec = optinc_codec_default(bits);
        long double limit = (long double)(((uint64_t)1 << (bits - 1)) - 1);

        assert_int_equal(optinc_exponent_min(bits), 130 - (int)bits - 253);
        assert_int_equal(optinc_codec_exponents(&codec, &largest, 1, &byte), OPTINC_OK);
        /* byte 254 is the exponent of FLT_MAX, or one more where the codes have its 24 bits */
        assert_int_equal(byte, bits <= 24 ? 254 : 253);
        assert_true(ldexpl(limit, 253 + optinc_exponent_min(bits)) >= (long double)FLT_MAX);
    }
}

/* Random blocks of every kind, counts that fill no vector, a NaN or infinity anywhere. */
static void test_random_blocks(void **state)
{
    static const uint32_t block_sizes[] = {4, 12, 64, 100, 256, 1028};
    uint64_t random = 1;
    float x[2100];

    (void)state;
    for (int kernel = OPTINC_KERNEL_AUTO; kernel <= OPTINC_KERNEL_AVX512; kernel++)
        for (int trial = 0; trial < 300 && kernel_is_there((optinc_kernel)kernel); trial++) {
            optinc_codec codec = optinc_codec_default(2 + 2 * (next_random(&random) % 16));
            size_t count = 1 + next_random(&random) % 2099;
            uint32_t kind = next_random(&random) % 7;

            codec.block_size = block_sizes[next_random(&random) % 6];
            codec.kernel = (optinc_kernel)kernel;
            for (size_t i = 0; i < count; i++)
                x[i] = awkward_float(&random, kind < 6 ? kind : next_random(&random) % 6);
            if (trial % 3 == 0)
                x[next_random(&random) % count] =
                    float_of_bits(0x7F800000u | (next_random(&random) & 0x807FFFFFu));
            assert_exponents(&codec, x, count);
        }
}

static void test_every_kind_of_non_finite(void **state)
{
    static const uint32_t patterns[] = {0x7F800000u, 0xFF800000u, 0x7FC00000u,
                                        0xFFC00000u, 0x7F800001u, 0xFFFFFFFFu};
    float x[300] = {0};

    (void)state;
    for (int kernel = OPTINC_KERNEL_PLAIN; kernel <= OPTINC_KERNEL_AVX512; kernel++)
        for (size_t at = 0; at < 300 && kernel_is_there((optinc_kernel)kernel); at++) {
            optinc_codec codec = optinc_codec_default(8);
            uint8_t exponents[2] = {0xA5, 0xA5};

            codec.kernel = (optinc_kernel)kernel;
            memcpy(&x[at], &patterns[at % 6], sizeof *x);
            assert_int_equal(optinc_codec_exponents(&codec, x, 300, exponents), OPTINC_OK);
            assert_int_equal(exponents[0], at < 256 ? OPTINC_EXPONENT_NON_FINITE : 0);
            assert_int_equal(exponents[1], at < 256 ? 0 : OPTINC_EXPONENT_NON_FINITE);
            x[at] = 0;
        }
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(optinc_block_count(256, 0), 0);
    assert_int_equal(optinc_block_count(256, 1), 1);
    assert_int_equal(optinc_block_count(256, 256), 1);
    assert_int_equal(optinc_block_count(256, 257), 2);
    assert_true(optinc_block_count(4, SIZE_MAX) == SIZE_MAX / 4 + 1);
}

static void test_bad_arguments(void **state)
{
    optinc_codec good = optinc_codec_default(8), bad;
    float x[4] = {1, 2, 3, 4};
    uint8_t exponents[1] = {0xA5};

    (void)state;
#define ASSERT_REFUSED(field, value)                                                               \
    bad = good;                                                                                    \
    bad.field = value;                                                                             \
    assert_int_equal(optinc_codec_exponents(&bad, x, 4, exponents), OPTINC_ERR_INVALID_ARGUMENT)
    ASSERT_REFUSED(bits, 0);
    ASSERT_REFUSED(bits, 7);
    ASSERT_REFUSED(bits, 34);
    ASSERT_REFUSED(block_size, 0);
    ASSERT_REFUSED(block_size, 2);
    ASSERT_REFUSED(block_size, 6);
    ASSERT_REFUSED(block_size, 65540);
    ASSERT_REFUSED(rounding, (optinc_rounding)2);
    ASSERT_REFUSED(kernel, (optinc_kernel)4);
    ASSERT_REFUSED(kernel, (optinc_kernel)-1);
#undef ASSERT_REFUSED
    assert_int_equal(optinc_codec_exponents(NULL, x, 4, exponents), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_exponents(&good, NULL, 4, exponents),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_exponents(&good, x, 4, NULL), OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(exponents[0], 0xA5);
    assert_int_equal(optinc_codec_exponents(&good, NULL, 0, NULL), OPTINC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_around_every_limit),
        cmocka_unit_test(test_documented_range),
        cmocka_unit_test(test_random_blocks),
        cmocka_unit_test(test_every_kind_of_non_finite),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
