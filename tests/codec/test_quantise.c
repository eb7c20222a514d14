/* SPDX-License-Identifier: Apache-2.0 */
/* Identities: g = clamp(round(x / 2^e)) + 2^(B-1), by integer arithmetic on the floats' own bits;
 * with feedback x = 2^e (g - 2^(B-1)) + carried. Every kernel gives the plain version's bits. */
#include "codec_test.h"

#include <float.h>

#define COUNT_MAX 3000u
#define GUARD 16u

typedef struct sample {
    optinc_codec codec;
    optinc_stream stream;
    size_t count;
    float x[COUNT_MAX];
    uint8_t exponents[COUNT_MAX];
} sample;

static int exponent_of(uint32_t bits, uint8_t byte)
{
    return (int)byte - 1 + optinc_exponent_min(bits);
}

/* Random B, block size, count, kinds of values; exponents of the data, or larger as another server
 * may have, or any byte at all. */
static void make_sample(sample *s, uint64_t *random)
{
    static const uint32_t block_sizes[] = {4, 12, 64, 100, 256, 320, 1028, 65536};
    uint32_t kind = next_random(random) % 7;
    uint32_t how = next_random(random) % 3;
    size_t blocks;

    s->codec = optinc_codec_default(2 + 2 * (next_random(random) % 16));
    if (next_random(random) % 2)
        s->codec.bits = (uint32_t[]){4, 8, 16}[next_random(random) % 3];
    s->codec.block_size = block_sizes[next_random(random) % 8];
    s->codec.rounding = (optinc_rounding)(next_random(random) % 2);
    s->codec.kernel = OPTINC_KERNEL_PLAIN;
    s->codec.turn = (optinc_turn)(next_random(random) % 3);
    s->stream = (optinc_stream){.seed = next_random(random),
                                .step = next_random(random),
                                .element_first = next_random(random) % 9};
    s->count = 1 + next_random(random) % COUNT_MAX;
    for (size_t i = 0; i < s->count; i++)
        s->x[i] = awkward_float(random, kind < 6 ? kind : next_random(random) % 6);
    if (next_random(random) % 4 == 0)
        s->x[next_random(random) % s->count] = next_random(random) % 2 ? NAN : -INFINITY;
    assert_int_equal(optinc_codec_exponents(&s->codec, s->x, s->count, s->exponents), OPTINC_OK);
    blocks = optinc_block_count(s->codec.block_size, s->count);
    for (size_t block = 0; block < blocks; block++) {
        uint8_t own = s->exponents[block];

        if (how == 1 && own < OPTINC_EXPONENT_NON_FINITE)
            s->exponents[block] = (uint8_t)(own + next_random(random) % (255u - own));
        if (how == 2 && own < OPTINC_EXPONENT_NON_FINITE)
            s->exponents[block] = (uint8_t)(next_random(random) >> 24);
    }
}

static int64_t expected_code(const sample *s, size_t i)
{
    uint8_t byte = s->exponents[i / s->codec.block_size];
    int e = exponent_of(s->codec.bits, byte);
    float x = is_turned(s->codec.turn, i) ? -s->x[i] : s->x[i];

    if (byte == OPTINC_EXPONENT_ZERO || byte == OPTINC_EXPONENT_NON_FINITE)
        return 0;
    return s->codec.rounding == OPTINC_ROUND_STOCHASTIC
               ? oracle_stochastic(x, e, oracle_word(&s->stream, i), s->codec.bits)
               : oracle_nearest(x, e, s->codec.bits);
}

static void test_plain_against_integers(void **state)
{
    static sample s;
    static uint8_t symbols[4 * COUNT_MAX + GUARD];
    uint64_t random = 2;

    (void)state;
    for (int trial = 0; trial < 400; trial++) {
        size_t size;

        make_sample(&s, &random);
        size = optinc_symbols_size(s.codec.bits, s.count);
        memset(symbols, 0xA5, sizeof symbols);
        assert_int_equal(
            optinc_codec_quantise(&s.codec, s.x, s.count, s.exponents, &s.stream, symbols),
            OPTINC_OK);
        for (size_t i = 0; i < s.count; i++)
            assert_int_equal((int64_t)oracle_code(s.codec.bits, symbols, i) -
                                 ((int64_t)1 << (s.codec.bits - 1)),
                             expected_code(&s, i));
        for (size_t bit = s.count * s.codec.bits; bit < 8 * size; bit++)
            assert_int_equal(symbols[bit / 8] >> bit % 8 & 1, 0);
        assert_int_equal(symbols[size], 0xA5);
    }
}

/* Everything that a kernel writes, from a start that is aligned to nothing. */
static void assert_same_bits(const sample *s, optinc_kernel kernel, bool feedback)
{
    static uint8_t symbols[2][4 * COUNT_MAX + 2 * GUARD];
    static float carried[2][COUNT_MAX + 2 * GUARD];
    optinc_codec codec = s->codec;
    size_t shift = s->stream.seed % 5;

    memset(symbols, 0xA5, sizeof symbols);
    memset(carried, 0xA5, sizeof carried);
    for (int i = 0; i < 2; i++) {
        codec.kernel = i == 0 ? OPTINC_KERNEL_PLAIN : kernel;
        memcpy(carried[i] + shift, s->x, s->count * sizeof *s->x);
        if (feedback)
            assert_int_equal(optinc_codec_quantise_feedback(&codec, carried[i] + shift, s->count,
                                                            s->exponents, &s->stream,
                                                            symbols[i] + shift),
                             OPTINC_OK);
        else
            assert_int_equal(optinc_codec_quantise(&codec, carried[i] + shift, s->count,
                                                   s->exponents, &s->stream, symbols[i] + shift),
                             OPTINC_OK);
    }
    assert_memory_equal(symbols[0], symbols[1], sizeof symbols[0]);
    assert_memory_equal(carried[0], carried[1], sizeof carried[0]);
}

static void test_kernels_equal_plain(void **state)
{
    static sample s;
    uint64_t random = 3;

    (void)state;
    for (int kernel = OPTINC_KERNEL_AUTO; kernel <= OPTINC_KERNEL_AVX512; kernel++)
        for (int trial = 0; trial < 600 && kernel_is_there((optinc_kernel)kernel); trial++) {
            make_sample(&s, &random);
            assert_same_bits(&s, (optinc_kernel)kernel, trial % 2);
        }
}

/* NaN and infinity where the exponent byte does not say so: nothing traps, and all agree. */
static void test_kernels_agree_on_broken_exponents(void **state)
{
    static sample s;
    uint64_t random = 4;

    (void)state;
    for (int kernel = OPTINC_KERNEL_AUTO; kernel <= OPTINC_KERNEL_AVX512; kernel++)
        for (int trial = 0; trial < 100 && kernel_is_there((optinc_kernel)kernel); trial++) {
            make_sample(&s, &random);
            for (size_t i = 0; i < s.count; i += 7)
                s.x[i] = (float[]){NAN, INFINITY, -INFINITY}[i % 3];
            memset(s.exponents, 1 + (int)(next_random(&random) % 254), sizeof s.exponents);
            assert_same_bits(&s, (optinc_kernel)kernel, false);
        }
}

/* carried_in = 2^e k + carried_out: exactly with nearest rounding and an exponent that fits; with
 * stochastic rounding to within half a float step of a value below 2^e. */
static void test_feedback_identity(void **state)
{
    static sample s;
    static float carried[COUNT_MAX];
    static uint8_t symbols[4 * COUNT_MAX];
    uint64_t random = 5;

    (void)state;
    for (int trial = 0; trial < 400; trial++) {
        make_sample(&s, &random);
        s.codec.kernel = OPTINC_KERNEL_AUTO;
        assert_int_equal(optinc_codec_exponents(&s.codec, s.x, s.count, s.exponents), OPTINC_OK);
        memcpy(carried, s.x, s.count * sizeof *carried);
        assert_int_equal(optinc_codec_quantise_feedback(&s.codec, carried, s.count, s.exponents,
                                                        &s.stream, symbols),
                         OPTINC_OK);
        for (size_t i = 0; i < s.count; i++) {
            uint8_t byte = s.exponents[i / s.codec.block_size];
            int e = exponent_of(s.codec.bits, byte);
            int64_t k =
                (int64_t)oracle_code(s.codec.bits, symbols, i) - ((int64_t)1 << (s.codec.bits - 1));
            long double sent = ldexpl((long double)(is_turned(s.codec.turn, i) ? -k : k), e);
            long double lost = (long double)s.x[i] - (sent + (long double)carried[i]);
            long double step = ldexpl(1, e);

            if (byte == OPTINC_EXPONENT_NON_FINITE) {
                assert_true(carried[i] == 0);
            } else if (byte == OPTINC_EXPONENT_ZERO) {
                assert_int_equal(bits_of_float(carried[i]), bits_of_float(s.x[i]));
            } else if (s.codec.rounding == OPTINC_ROUND_NEAREST) {
                assert_true(lost == 0);
                if (!(fabsl((long double)carried[i]) <= step / 2))
                    fail();
            } else {
                if (!(fabsl(lost) <= fmaxl(step * 0x1p-25L, 0x1p-150L)))
                    fail();
                if (!(fabsl((long double)carried[i]) <= step))
                    fail();
            }
        }
    }
}

/* The mean of the codes of one value over n elements is x / 2^e; each has a variance of at most
 * 1/4; 5 sigma. */
static void test_stochastic_is_unbiased(void **state)
{
    enum { DRAWS = 1 << 17 };
    static const float values[] = {0.3f, -0.3f, 41.0078125f, -126.9f, 0x1p-10f, -7.0f};
    float *x = oi_allocate(DRAWS, sizeof *x);
    uint8_t *symbols = oi_allocate(DRAWS, 1), *exponents = oi_allocate(DRAWS / 256, 1);
    optinc_codec codec = optinc_codec_default(8);
    optinc_stream stream = {.seed = 11, .step = 5, .element_first = 0};

    (void)state;
    codec.rounding = OPTINC_ROUND_STOCHASTIC;
    memset(exponents, 1 - optinc_exponent_min(8), DRAWS / 256); /* e = 0 */
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        double sum = 0;

        for (size_t i = 0; i < DRAWS; i++)
            x[i] = values[v];
        assert_int_equal(optinc_codec_quantise(&codec, x, DRAWS, exponents, &stream, symbols),
                         OPTINC_OK);
        for (size_t i = 0; i < DRAWS; i++)
            sum += symbols[i] - 128;
        if (!(fabs(sum / DRAWS - (double)values[v]) <= 5 * 0.5 / sqrt(DRAWS)))
            fail_msg("mean of %g is %g", (double)values[v], sum / DRAWS);
        stream.step++;
    }
    oi_free(exponents);
    oi_free(symbols);
    oi_free(x);
}

/* Threads and chunks: 300,001 elements whole, by 1, 2 and 4 threads and by pieces cut at blocks. */
static void test_threads_and_chunks(void **state)
{
    enum { COUNT = 300001, BLOCKS = COUNT / 256 + 1 };
    float *x = oi_allocate(COUNT, sizeof *x), *carried[2];
    uint8_t *whole = oi_allocate(COUNT, 4), *other = oi_allocate(COUNT, 4);
    uint8_t *exponents = oi_allocate(BLOCKS, 1), *again = oi_allocate(BLOCKS, 1);
    uint64_t random = 6;

    (void)state;
    carried[0] = oi_allocate(COUNT, sizeof *x);
    carried[1] = oi_allocate(COUNT, sizeof *x);
    for (size_t i = 0; i < COUNT; i++)
        x[i] = awkward_float(&random, 0);
    x[5000] = NAN;
    for (int rounding = 0; rounding < 2; rounding++)
        for (uint32_t bits = 4; bits <= 16; bits += 2) {
            optinc_codec codec = optinc_codec_default(bits);
            optinc_stream stream = {.seed = 1, .step = 2, .element_first = 1000};
            size_t size = optinc_symbols_size(bits, COUNT);

            codec.rounding = (optinc_rounding)rounding;
            assert_int_equal(optinc_codec_exponents(&codec, x, COUNT, exponents), OPTINC_OK);
            memcpy(carried[0], x, COUNT * sizeof *x);
            assert_int_equal(optinc_codec_quantise_feedback(&codec, carried[0], COUNT, exponents,
                                                            &stream, whole),
                             OPTINC_OK);
            for (uint32_t threads = 0; threads <= 4; threads++) {
                codec.thread_count = threads;
                memset(again, 0xA5, BLOCKS);
                memset(other, 0xA5, size);
                memcpy(carried[1], x, COUNT * sizeof *x);
                assert_int_equal(optinc_codec_exponents(&codec, x, COUNT, again), OPTINC_OK);
                assert_int_equal(optinc_codec_quantise_feedback(&codec, carried[1], COUNT,
                                                                exponents, &stream, other),
                                 OPTINC_OK);
                assert_memory_equal(again, exponents, BLOCKS);
                assert_memory_equal(other, whole, size);
                assert_memory_equal(carried[1], carried[0], COUNT * sizeof *x);
            }
            codec.thread_count = 1;
            memset(other, 0xA5, size);
            for (size_t first = 0, chunk; first < COUNT; first += chunk) {
                chunk = 256 * (1 + next_random(&random) % 300);
                chunk = chunk < COUNT - first ? chunk : COUNT - first;
                stream.element_first = 1000 + first;
                assert_int_equal(optinc_codec_quantise(&codec, x + first, chunk,
                                                       exponents + first / 256, &stream,
                                                       other + first / 4 * bits / 2),
                                 OPTINC_OK);
            }
            assert_memory_equal(other, whole, size);
        }
    oi_free(carried[1]);
    oi_free(carried[0]);
    oi_free(again);
    oi_free(exponents);
    oi_free(other);
    oi_free(whole);
    oi_free(x);
}

/* Results too large for the caches go past them, aligned or not: the same bits. */
static void test_large_results(void **state)
{
    enum { COUNT = (8 << 20) + 777, BLOCKS = COUNT / 256 + 1 };
    float *x = oi_allocate(COUNT, sizeof *x);
    uint8_t *plain = oi_allocate(COUNT, 2), *other = oi_allocate(COUNT + 1, 2);
    uint8_t *exponents = oi_allocate(BLOCKS, 1);
    uint64_t random = 7;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        x[i] = awkward_float(&random, 0);
    for (uint32_t bits = 8; bits <= 16; bits += 8) {
        optinc_codec codec = optinc_codec_default(bits);
        size_t size = optinc_symbols_size(bits, COUNT);

        codec.kernel = OPTINC_KERNEL_PLAIN;
        assert_int_equal(optinc_codec_exponents(&codec, x, COUNT, exponents), OPTINC_OK);
        assert_int_equal(optinc_codec_quantise(&codec, x, COUNT, exponents, NULL, plain),
                         OPTINC_OK);
        for (int kernel = OPTINC_KERNEL_AVX2; kernel <= OPTINC_KERNEL_AVX512; kernel++)
            for (size_t shift = 0; shift < 2 && kernel_is_there((optinc_kernel)kernel); shift++) {
                codec.kernel = (optinc_kernel)kernel;
                memset(other, 0xA5, size + shift);
                assert_int_equal(
                    optinc_codec_quantise(&codec, x, COUNT, exponents, NULL, other + shift),
                    OPTINC_OK);
                assert_memory_equal(other + shift, plain, size);
            }
    }
    oi_free(exponents);
    oi_free(other);
    oi_free(plain);
    oi_free(x);
}

/* 32 bits carry every integer float up to 2^24 at e = 0, and 2^e (2^31-1) is the clamp. */
static void test_32_bits_hold_integers(void **state)
{
    float x[7] = {0, 1, -1, 16777216, -16777215, 8388609, 0x1p31f};
    uint8_t byte = (uint8_t)(1 - optinc_exponent_min(32));
    uint32_t codes[7];

    (void)state;
    for (int kernel = OPTINC_KERNEL_PLAIN; kernel <= OPTINC_KERNEL_AVX512; kernel++) {
        optinc_codec codec = optinc_codec_default(32);

        if (!kernel_is_there((optinc_kernel)kernel))
            continue;
        codec.kernel = (optinc_kernel)kernel;
        memset(codes, 0xA5, sizeof codes);
        assert_int_equal(optinc_codec_quantise(&codec, x, 7, &byte, NULL, (uint8_t *)codes),
                         OPTINC_OK);
        for (int i = 0; i < 6; i++)
            assert_true((double)codes[i] - 0x1p31 == (double)x[i]);
        assert_true(codes[6] == UINT32_MAX);
    }
}

static void test_bad_arguments(void **state)
{
    optinc_codec codec = optinc_codec_default(8), stochastic = codec, odd = codec;
    float x[4] = {1, 2, 3, 4};
    uint8_t exponents[1] = {130}, symbols[4] = {0xA5, 0xA5, 0xA5, 0xA5};
    const uint8_t untouched[4] = {0xA5, 0xA5, 0xA5, 0xA5};

    (void)state;
    stochastic.rounding = OPTINC_ROUND_STOCHASTIC;
    odd.bits = 9;
    assert_int_equal(optinc_codec_quantise(&stochastic, x, 4, exponents, NULL, symbols),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_quantise(&odd, x, 4, exponents, NULL, symbols),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_quantise(&codec, NULL, 4, exponents, NULL, symbols),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_quantise(&codec, x, 4, NULL, NULL, symbols),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_codec_quantise(&codec, x, 4, exponents, NULL, NULL),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_memory_equal(symbols, untouched, 4);
    assert_int_equal(optinc_codec_quantise(&codec, NULL, 0, NULL, NULL, NULL), OPTINC_OK);
    assert_int_equal(optinc_codec_quantise_feedback(&codec, NULL, 0, NULL, NULL, NULL), OPTINC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_against_integers),
        cmocka_unit_test(test_kernels_equal_plain),
        cmocka_unit_test(test_kernels_agree_on_broken_exponents),
        cmocka_unit_test(test_feedback_identity),
        cmocka_unit_test(test_stochastic_is_unbiased),
        cmocka_unit_test(test_threads_and_chunks),
        cmocka_unit_test(test_large_results),
        cmocka_unit_test(test_32_bits_hold_integers),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
