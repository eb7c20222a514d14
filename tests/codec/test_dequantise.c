/* SPDX-License-Identifier: Apache-2.0 */
/* Identities: y = (r - 2^(B-1)) 2^e N/D rounded to float once (D = K for the mean, 1 for the sum),
 * checked in long double, whose 64 bits tell every float from its neighbours; and
 * |result - exact| <= optinc_error_bound through codec and reference. */
#include "codec_test.h"

#include "base/float_mode.h"
#include "optinc/reference.h"

#include <fenv.h>

#define COUNT_MAX 2000u

static int exponent_of(uint32_t bits, uint8_t byte)
{
    return (int)byte - 1 + optinc_exponent_min(bits);
}

/* `y` is the float nearest to numerator / divisor, of two equally near ones the even one. For
 * B <= 32, K <= 2^20 the quotient is on a middle or 2^-53 of itself away from it, which 64 bits
 * resolve; what a double in between may do to B > 24 is allowed for by `slack`. */
static void assert_nearest(float y, long double numerator, long double divisor, bool slack)
{
    long double exact = numerator / divisor;
    float rounded = (float)exact;

    if (bits_of_float(y) == bits_of_float(rounded))
        return;
    if (slack && (y == nextafterf(rounded, INFINITY) || y == nextafterf(rounded, -INFINITY)) &&
        fabsl((long double)y - exact) <= fabsl((long double)rounded - exact) * (1 + 0x1p-26L))
        return;
    fail_msg("%a for %La", (double)y, exact);
}

static optinc_result_scale random_scale(uint64_t *random)
{
    optinc_result_scale scale;

    scale.op = (optinc_op)(next_random(random) % 2);
    scale.ports = 1u << next_random(random) % 21;
    scale.servers = 1 + next_random(random) % scale.ports;
    if (next_random(random) % 2)
        scale.servers = 1u << (31 - __builtin_clz(scale.servers));
    return scale;
}

/* All kernels against long double: every B, N, K, exponents of all sizes, counts that fill no
 * vector, buffers aligned to nothing; nothing is written beyond the end or in non-finite blocks. */
static void test_every_kernel_against_long_double(void **state)
{
    static const uint32_t block_sizes[] = {4, 12, 64, 100, 256, 320, 1028};
    static uint8_t symbols[4 * COUNT_MAX + 16], exponents[COUNT_MAX];
    static float y[COUNT_MAX + 16];
    uint64_t random = 8;

    (void)state;
    for (int kernel = OPTINC_KERNEL_AUTO; kernel <= OPTINC_KERNEL_AVX512; kernel++)
        for (int trial = 0; trial < 300 && kernel_is_there((optinc_kernel)kernel); trial++) {
            optinc_codec codec = optinc_codec_default(2 + 2 * (next_random(&random) % 16));
            optinc_result_scale scale = random_scale(&random);
            size_t count = 1 + next_random(&random) % COUNT_MAX;
            size_t shift = next_random(&random) % 7;
            uint8_t common = (uint8_t)(next_random(&random) >> 24);

            codec.block_size = block_sizes[next_random(&random) % 7];
            codec.kernel = (optinc_kernel)kernel;
            codec.turn = (optinc_turn)(trial % 3);
            for (size_t i = 0; i < sizeof symbols; i++)
                symbols[i] = (uint8_t)(next_random(&random) >> 24);
            for (size_t i = 0; i < COUNT_MAX; i++)
                exponents[i] = trial % 2 ? common : (uint8_t)(next_random(&random) >> 24);
            memset(y, 0xA5, sizeof y);
            assert_int_equal(optinc_codec_dequantise(&codec, symbols + shift, count, exponents,
                                                     &scale, y + shift),
                             OPTINC_OK);
            for (size_t i = 0; i < count; i++) {
                uint8_t byte = exponents[i / codec.block_size];
                long double k = (long double)oracle_code(codec.bits, symbols + shift, i) -
                                ldexpl(1, (int)codec.bits - 1);
                long double sum =
                    ldexpl(k, exponent_of(codec.bits, byte)) * (long double)scale.ports;

                if (is_turned(codec.turn, i))
                    sum = -sum;
                if (byte == OPTINC_EXPONENT_NON_FINITE)
                    assert_int_equal(bits_of_float(y[shift + i]), 0xA5A5A5A5u);
                else if (byte == OPTINC_EXPONENT_ZERO)
                    assert_int_equal(bits_of_float(y[shift + i]), 0);
                else
                    assert_nearest(y[shift + i], sum, scale.op == OPTINC_MEAN ? scale.servers : 1,
                                   codec.bits > 24);
            }
            for (size_t i = 0; i < shift; i++)
                assert_int_equal(bits_of_float(y[i]), 0xA5A5A5A5u);
            for (size_t i = shift + count; i < COUNT_MAX + 16; i++)
                assert_int_equal(bits_of_float(y[i]), 0xA5A5A5A5u);
        }
}

/* The same bits as the plain version, for all codes of 8 and 16 bits, all exponents, many N/K. */
static void test_kernels_equal_plain(void **state)
{
    enum { COUNT = 65536 };
    uint8_t *symbols = oi_allocate(COUNT, 4), *exponents = oi_allocate(COUNT / 256, 1);
    float *plain = oi_allocate(COUNT, sizeof *plain), *other = oi_allocate(COUNT, sizeof *other);
    uint64_t random = 9;

    (void)state;
    for (size_t i = 0; i < COUNT / 256; i++)
        exponents[i] = (uint8_t)i;
    for (uint32_t bits = 8; bits <= 32; bits += 8)
        for (int trial = 0; trial < 12; trial++) {
            optinc_codec codec = optinc_codec_default(bits);
            optinc_result_scale scale = random_scale(&random);

            codec.turn = (optinc_turn)(trial % 3);
            for (uint32_t i = 0; i < COUNT; i++) {
                uint32_t code = bits == 8    ? i % 256
                                : bits == 16 ? i * 40503u % 65536
                                             : next_random(&random) >> (32 - bits);

                for (uint32_t b = 0; b < bits / 8; b++)
                    symbols[i * bits / 8 + b] = (uint8_t)(code >> 8 * b);
            }
            memset(plain, 0xA5, COUNT * sizeof *plain);
            codec.kernel = OPTINC_KERNEL_PLAIN;
            assert_int_equal(
                optinc_codec_dequantise(&codec, symbols, COUNT, exponents, &scale, plain),
                OPTINC_OK);
            for (int kernel = OPTINC_KERNEL_AVX2; kernel <= OPTINC_KERNEL_AVX512; kernel++) {
                if (!kernel_is_there((optinc_kernel)kernel))
                    continue;
                codec.kernel = (optinc_kernel)kernel;
                memset(other, 0xA5, COUNT * sizeof *other);
                assert_int_equal(
                    optinc_codec_dequantise(&codec, symbols, COUNT, exponents, &scale, other),
                    OPTINC_OK);
                assert_memory_equal(other, plain, COUNT * sizeof *plain);
            }
        }
    oi_free(other);
    oi_free(plain);
    oi_free(exponents);
    oi_free(symbols);
}

/* 1, 2 and 4 threads, chunks cut at blocks, and results that go past the caches. */
static void test_threads_chunks_and_large_results(void **state)
{
    enum { COUNT = (4 << 20) + 555, BLOCKS = COUNT / 256 + 1 };
    uint8_t *symbols = oi_allocate(COUNT, 1), *exponents = oi_allocate(BLOCKS, 1);
    float *plain = oi_allocate(COUNT, sizeof *plain);
    float *other = oi_allocate(COUNT + 16, sizeof *other);
    optinc_result_scale scale = {OPTINC_MEAN, 4, 3};
    optinc_codec codec = optinc_codec_default(8);
    uint64_t random = 10;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        symbols[i] = (uint8_t)(next_random(&random) >> 24);
    for (size_t i = 0; i < BLOCKS; i++)
        exponents[i] = (uint8_t)(100 + next_random(&random) % 50);
    codec.kernel = OPTINC_KERNEL_PLAIN;
    assert_int_equal(optinc_codec_dequantise(&codec, symbols, COUNT, exponents, &scale, plain),
                     OPTINC_OK);
    for (int kernel = OPTINC_KERNEL_PLAIN; kernel <= OPTINC_KERNEL_AVX512; kernel++)
        for (uint32_t threads = 0; threads <= 4 && kernel_is_there((optinc_kernel)kernel);
             threads++) {
            size_t shift = threads == 1 ? 3 : 0;

            codec.kernel = (optinc_kernel)kernel;
            codec.thread_count = threads;
            memset(other, 0xA5, COUNT * sizeof *other);
            assert_int_equal(
                optinc_codec_dequantise(&codec, symbols, COUNT, exponents, &scale, other + shift),
                OPTINC_OK);
            assert_memory_equal(other + shift, plain, COUNT * sizeof *plain);
        }
    codec.kernel = OPTINC_KERNEL_AUTO;
    codec.thread_count = 1;
    memset(other, 0xA5, COUNT * sizeof *other);
    for (size_t first = 0, chunk; first < COUNT; first += chunk) {
        chunk = 256 * (1 + next_random(&random) % 3000);
        chunk = chunk < COUNT - first ? chunk : COUNT - first;
        assert_int_equal(optinc_codec_dequantise(&codec, symbols + first, chunk,
                                                 exponents + first / 256, &scale, other + first),
                         OPTINC_OK);
    }
    assert_memory_equal(other, plain, COUNT * sizeof *plain);
    oi_free(other);
    oi_free(plain);
    oi_free(exponents);
    oi_free(symbols);
}

/* K servers' floats through exponents, MAX, codes, the reference switch and back, against the sum
 * in long double. Values of like size, so that the exact sum is exact in 64 bits. */
static void round_trip(const optinc_codec *codec, uint32_t ports, uint32_t servers,
                       optinc_variant variant, uint64_t *random)
{
    enum { COUNT = 512 };
    static float x[16][COUNT], y[2][COUNT];
    static uint8_t symbols[16][4 * COUNT], result[4 * COUNT];
    uint8_t exponents[COUNT / 256] = {0};
    optinc_spec spec;
    optinc_stream stream = {.seed = 3, .step = next_random(random), .element_first = 0};

    assert_int_equal(optinc_spec_single(ports, codec->bits, variant, NULL, &spec), OPTINC_OK);
    for (uint32_t k = 0; k < servers; k++) {
        uint8_t own[COUNT / 256];

        for (size_t i = 0; i < COUNT; i++)
            x[k][i] = awkward_float(random, i < 256 ? 0 : 1);
        assert_int_equal(optinc_codec_exponents(codec, x[k], COUNT, own), OPTINC_OK);
        for (size_t b = 0; b < COUNT / 256; b++)
            exponents[b] = own[b] > exponents[b] ? own[b] : exponents[b];
    }
    for (uint32_t k = 0; k < servers; k++) {
        stream.seed = k;
        assert_int_equal(optinc_codec_quantise(codec, x[k], COUNT, exponents, &stream, symbols[k]),
                         OPTINC_OK);
    }
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t total = (ports - servers) * spec.zero_code, r;

        for (uint32_t k = 0; k < servers; k++)
            total += oracle_code(codec->bits, symbols[k], i);
        r = optinc_reference_result(&spec, total, optinc_reference_offset(&spec, &stream, i));
        for (uint32_t b = 0; b < codec->bits / 8; b++)
            result[i * codec->bits / 8 + b] = (uint8_t)(r >> 8 * b);
    }
    for (int op = OPTINC_SUM; op <= OPTINC_MEAN; op++) {
        optinc_result_scale scale = {(optinc_op)op, ports, servers};

        memset(y[op], 0xA5, sizeof y[op]);
        assert_int_equal(optinc_codec_dequantise(codec, result, COUNT, exponents, &scale, y[op]),
                         OPTINC_OK);
        for (size_t i = 0; i < COUNT; i++) {
            double bound = optinc_error_bound(codec, variant == OPTINC_VARIANT_STOCHASTIC, &scale,
                                              exponents[i / 256]);
            long double exact = 0;

            for (uint32_t k = 0; k < servers; k++)
                exact += (long double)x[k][i];
            if (op == OPTINC_MEAN)
                exact /= servers;
            if (!(fabsl((long double)y[op][i] - exact) <= (long double)bound))
                fail_msg("%Lg above %g", fabsl((long double)y[op][i] - exact), bound);
        }
    }
}

static void test_error_bound_holds(void **state)
{
    uint64_t random = 11;

    (void)state;
    for (int trial = 0; trial < 200; trial++) {
        optinc_codec codec = optinc_codec_default((uint32_t[]){8, 16, 24, 32}[trial % 4]);
        uint32_t ports = 2u << next_random(&random) % 4;

        codec.rounding = (optinc_rounding)(next_random(&random) % 2);
        round_trip(&codec, ports, 1 + next_random(&random) % ports,
                   (optinc_variant)(next_random(&random) % 2), &random);
    }
}

static void test_error_bound_values(void **state)
{
    optinc_codec codec = optinc_codec_default(8), stochastic = codec,
                 wide = optinc_codec_default(32);
    optinc_result_scale mean = {OPTINC_MEAN, 4, 4}, sum = {OPTINC_SUM, 4, 4};
    optinc_result_scale third = {OPTINC_MEAN, 4, 3}, bad = {OPTINC_MEAN, 4, 5};
    uint8_t one = (uint8_t)(1 - optinc_exponent_min(8)); /* e = 0 */
    double third_bound = (0.5 * 3 + 0.5 * 4) / 3;

    (void)state;
    stochastic.rounding = OPTINC_ROUND_STOCHASTIC;
    assert_true(optinc_error_bound(&codec, false, &mean, one) == 1);
    assert_true(optinc_error_bound(&codec, false, &sum, one) == 4);
    assert_true(optinc_error_bound(&codec, true, &mean, one) == 1.5);
    assert_true(optinc_error_bound(&stochastic, false, &mean, one) == 1.5);
    assert_true(optinc_error_bound(&stochastic, true, &sum, (uint8_t)(one + 3)) == 64);
    assert_true(optinc_error_bound(&codec, false, &third, one) > third_bound);
    assert_true(optinc_error_bound(&codec, false, &third, one) < third_bound * (1 + 0x1p-15));
    /* 2^31 has floats 2^8 apart */
    assert_true(optinc_error_bound(&wide, false, &mean, (uint8_t)(1 - optinc_exponent_min(32))) >=
                1 + 128);
    assert_true(optinc_error_bound(&codec, false, &mean, OPTINC_EXPONENT_ZERO) == 0);
    assert_true(isnan(optinc_error_bound(&codec, false, &mean, OPTINC_EXPONENT_NON_FINITE)));
    assert_true(isnan(optinc_error_bound(&codec, false, &bad, one)));
    assert_true(isnan(optinc_error_bound(NULL, false, &mean, one)));
}

/* docs/training.md: integers up to (2^31-1)/N are summed exactly by 32 bits. */
static void test_integers_are_summed_exactly(void **state)
{
    optinc_codec codec = optinc_codec_default(32);
    optinc_result_scale scale = {OPTINC_SUM, 4, 4};
    optinc_spec spec;
    uint64_t random = 12;

    (void)state;
    assert_int_equal(optinc_spec_single(4, 32, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    for (int trial = 0; trial < 2000; trial++) {
        float x[4], y = NAN;
        uint8_t byte = 0, own;
        uint32_t code, r;
        uint64_t total = 0;
        double sum = 0;

        for (int k = 0; k < 4; k++) {
            x[k] = (float)((int32_t)next_random(&random) >> (10 + trial % 20));
            sum += (double)x[k];
            assert_int_equal(optinc_codec_exponents(&codec, x + k, 1, &own), OPTINC_OK);
            byte = own > byte ? own : byte;
        }
        for (int k = 0; k < 4; k++) {
            assert_int_equal(optinc_codec_quantise(&codec, x + k, 1, &byte, NULL, (uint8_t *)&code),
                             OPTINC_OK);
            total += code;
        }
        r = (uint32_t)optinc_reference_result(&spec, total, 0);
        assert_int_equal(optinc_codec_dequantise(&codec, (const uint8_t *)&r, 1, &byte, &scale, &y),
                         OPTINC_OK);
        assert_true((double)y == sum);
    }
}

/* A caller that flushes denormals and rounds upwards gets the same bits. */
static void test_callers_float_mode_does_not_matter(void **state)
{
    enum { COUNT = 1500 };
    static float x[COUNT], y[2][COUNT], carried[2][COUNT];
    static uint8_t symbols[2][4 * COUNT], exponents[2][COUNT / 256 + 1];
    uint64_t random = 13;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        x[i] = awkward_float(&random, (uint32_t)i / 256);
    for (int kernel = OPTINC_KERNEL_PLAIN; kernel <= OPTINC_KERNEL_AVX512; kernel++)
        for (uint32_t bits = 4; bits <= 32 && kernel_is_there((optinc_kernel)kernel); bits += 4)
            for (int rounding = 0; rounding < 2; rounding++) {
                optinc_codec codec = optinc_codec_default(bits);
                optinc_result_scale scale = {OPTINC_MEAN, 4, 3};
                optinc_stream stream = {1, 2, 0};
                optinc_status status[6];

                codec.kernel = (optinc_kernel)kernel;
                codec.rounding = (optinc_rounding)rounding;
                for (int mode = 0; mode < 2; mode++) {
                    memcpy(carried[mode], x, sizeof x);
#if defined(__SSE__)
                    if (mode == 1)
                        _mm_setcsr(0x1F80u | 0x8040u | 0x4000u);
#endif
                    status[3 * mode] = optinc_codec_exponents(&codec, x, COUNT, exponents[mode]);
                    status[3 * mode + 1] = optinc_codec_quantise_feedback(
                        &codec, carried[mode], COUNT, exponents[mode], &stream, symbols[mode]);
                    status[3 * mode + 2] = optinc_codec_dequantise(
                        &codec, symbols[mode], COUNT, exponents[mode], &scale, y[mode]);
#if defined(__SSE__)
                    if (mode == 1)
                        assert_int_equal(_mm_getcsr() & ~OI_FLOAT_STATUS_BITS,
                                         0x1F80u | 0x8040u | 0x4000u);
                    _mm_setcsr(0x1F80u);
#endif
                }
                for (int i = 0; i < 6; i++)
                    assert_int_equal(status[i], OPTINC_OK);
                assert_memory_equal(exponents[0], exponents[1], sizeof exponents[0]);
                assert_memory_equal(symbols[0], symbols[1], sizeof symbols[0]);
                assert_memory_equal(carried[0], carried[1], sizeof carried[0]);
                assert_memory_equal(y[0], y[1], sizeof y[0]);
            }
}

static void test_bad_arguments(void **state)
{
    static const optinc_result_scale bad[] = {
        {(optinc_op)2, 4, 4}, {OPTINC_MEAN, 3, 3}, {OPTINC_MEAN, 0, 0},
        {OPTINC_MEAN, 4, 0},  {OPTINC_MEAN, 4, 5}, {OPTINC_MEAN, 1u << 21, 4},
    };
    optinc_codec codec = optinc_codec_default(8);
    optinc_result_scale good = {OPTINC_MEAN, 4, 4};
    uint8_t symbols[4] = {0}, exponents[1] = {130};
    float y[4] = {7, 7, 7, 7};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(optinc_codec_dequantise(&codec, symbols, 4, exponents, &bad[i], y),
                         OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_dequantise(&codec, symbols, 4, exponents, NULL, y),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_dequantise(&codec, NULL, 4, exponents, &good, y),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_dequantise(&codec, symbols, 4, exponents, &good, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    for (int i = 0; i < 4; i++)
        assert_true(y[i] == 7);
    assert_int_equal(optinc_codec_dequantise(&codec, NULL, 0, NULL, &good, NULL), OPTINC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kernel_against_long_double),
        cmocka_unit_test(test_kernels_equal_plain),
        cmocka_unit_test(test_threads_chunks_and_large_results),
        cmocka_unit_test(test_error_bound_holds),
        cmocka_unit_test(test_error_bound_values),
        cmocka_unit_test(test_integers_are_summed_exactly),
        cmocka_unit_test(test_callers_float_mode_does_not_matter),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
