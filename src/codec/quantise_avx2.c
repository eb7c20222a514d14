/* SPDX-License-Identifier: Apache-2.0 */
/* Exponents and codes in AVX2: groups of 32 elements, the same bits as plain.c.
 * B bits; L = 2^(B-1)-1, the largest quantised magnitude. */
#include "codec/kernel.h"

#if defined(__AVX2__)
#include "base/philox.h"
#include "codec/pack_avx2.h"
#include "codec/vector.h"

#define PIECE 1024u
#define PREFETCH_BYTES 2048

static uint32_t largest_lane(__m256i v)
{
    __m128i half = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, _MM_SHUFFLE(1, 0, 3, 2)));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(half);
}

static uint32_t largest_magnitude(const float *x, size_t count)
{
    const __m256i mask = _mm256_set1_epi32(0x7FFFFFFF);
    __m256i largest[VECTORS] = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                                _mm256_setzero_si256(), _mm256_setzero_si256()};
    uint32_t result;
    size_t i = 0;

    for (; count - i >= GROUP; i += GROUP) {
        _mm_prefetch((const char *)(x + i) + PREFETCH_BYTES, _MM_HINT_T0);
        _mm_prefetch((const char *)(x + i) + PREFETCH_BYTES + 64, _MM_HINT_T0);
        for (size_t v = 0; v < VECTORS; v++) {
            __m256i bits = _mm256_loadu_si256((const __m256i *)(x + i + 8 * v));

            largest[v] = _mm256_max_epu32(largest[v], _mm256_and_si256(bits, mask));
        }
    }
    result = largest_lane(_mm256_max_epu32(_mm256_max_epu32(largest[0], largest[1]),
                                           _mm256_max_epu32(largest[2], largest[3])));
    for (; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7FFFFFFFu;
        result = bits > result ? bits : result;
    }
    return result;
}

void oi_exponents_avx2(const oi_exponent_job *job)
{
    for (size_t first = 0, block = 0; first < job->count; first += job->block_size, block++) {
        size_t count = oi_smaller(job->block_size, job->count - first);

        job->exponents[block] =
            oi_exponent_byte(job->bits, largest_magnitude(job->x + first, count));
    }
}

/* In float the product with 2^-e is exact, or so small that it rounds to 0. Where 2^-e or L is not
 * a float, in double, as in the plain version; so is stochastic rounding. */
typedef enum quantise_mode { MODE_FLOAT, MODE_DOUBLE, MODE_STOCHASTIC } quantise_mode;

/* One block's constants; scale is for MODE_FLOAT only. */
typedef struct quantiser {
    __m256 scale, limit;
    __m256d scale_double, limit_double, unit;
    __m256i zero_code;
} quantiser;

OI_INLINE quantiser make_quantiser(uint32_t bits, int exponent, optinc_turn turn)
{
    double limit = (double)((1u << (bits - 1)) - 1);
    quantiser q;

    q.scale = turned_ps(oi_is_normal_exponent(-exponent) ? oi_power_of_two(-exponent) : 0, turn);
    q.limit = _mm256_set1_ps((float)limit);
    q.scale_double = turned_pd(oi_power_of_two_double(-exponent), turn);
    q.limit_double = _mm256_set1_pd(limit);
    q.unit = turned_pd(oi_power_of_two_double(exponent), turn);
    q.zero_code = _mm256_set1_epi32((int)(1u << (bits - 1)));
    return q;
}

/* word / 2^32: as a signed number first, for AVX2 converts no other */
OI_INLINE __m256d uniform(__m128i word)
{
    __m256d shifted = _mm256_cvtepi32_pd(_mm_xor_si128(word, _mm_set1_epi32((int)0x80000000u)));

    return _mm256_mul_pd(_mm256_add_pd(shifted, _mm256_set1_pd(0x1p31)), _mm256_set1_pd(0x1p-32));
}

/* floor(v + word / 2^32), as in plain.c; whole numbers */
OI_INLINE __m256d round_stochastic(__m256d v, __m128i word)
{
    const __m256d one = _mm256_set1_pd(1), minus_zero = _mm256_set1_pd(-0.0);
    __m256d u = uniform(word);
    __m256d magnitude = _mm256_andnot_pd(minus_zero, v);
    __m256d whole = _mm256_floor_pd(magnitude);
    __m256d fraction = _mm256_sub_pd(magnitude, whole);
    __m256d negative = _mm256_cmp_pd(v, _mm256_setzero_pd(), _CMP_LT_OQ);
    __m256d up_negative = _mm256_cmp_pd(fraction, u, _CMP_GT_OQ);
    __m256d up_positive = _mm256_cmp_pd(fraction, _mm256_sub_pd(one, u), _CMP_GE_OQ);
    __m256d up = _mm256_blendv_pd(up_positive, up_negative, negative);
    __m256d rounded = _mm256_add_pd(whole, _mm256_and_pd(up, one));

    return _mm256_or_pd(rounded, _mm256_and_pd(minus_zero, v));
}

/* Clamped before it is rounded, which is the same for a whole limit; a NaN becomes the second
 * operand of max. */
OI_INLINE __m128i clamp_double(const quantiser *q, __m256d v)
{
    v = _mm256_max_pd(v, _mm256_sub_pd(_mm256_setzero_pd(), q->limit_double));
    return _mm256_cvtpd_epi32(_mm256_min_pd(v, q->limit_double));
}

/* 4 elements to k; words: NULL unless stochastic */
OI_INLINE __m128i quantise_double(const quantiser *q, __m128 x, const uint32_t *words)
{
    __m256d v = _mm256_mul_pd(_mm256_cvtps_pd(x), q->scale_double);

    if (words)
        v = round_stochastic(v, _mm_loadu_si128((const __m128i *)words));
    return clamp_double(q, v);
}

/* x - 2^e k, the product exact */
OI_INLINE __m128 error_left(const quantiser *q, __m128 x, __m128i k)
{
    __m256d sent = _mm256_mul_pd(_mm256_cvtepi32_pd(k), q->unit);

    return _mm256_cvtpd_ps(_mm256_sub_pd(_mm256_cvtps_pd(x), sent));
}

/* 8 elements to their codes; `carried`, if there is one, gets the quantisation error */
OI_INLINE __m256i quantise_vector(quantise_mode mode, const quantiser *q, const float *x,
                                  float *carried, const uint32_t *words)
{
    __m256 value = _mm256_loadu_ps(x);
    __m128 low = _mm256_castps256_ps128(value), high = _mm256_extractf128_ps(value, 1);
    __m256i k;

    if (mode == MODE_FLOAT) {
        __m256 v = _mm256_mul_ps(value, q->scale);

        v = _mm256_max_ps(v, _mm256_sub_ps(_mm256_setzero_ps(), q->limit));
        k = _mm256_cvtps_epi32(_mm256_min_ps(v, q->limit));
    } else {
        bool drawn = mode == MODE_STOCHASTIC;
        __m128i k_low = quantise_double(q, low, drawn ? words : NULL);
        __m128i k_high = quantise_double(q, high, drawn ? words + 4 : NULL);

        k = _mm256_set_m128i(k_high, k_low);
    }
    if (carried) {
        _mm_storeu_ps(carried, error_left(q, low, _mm256_castsi256_si128(k)));
        _mm_storeu_ps(carried + 4, error_left(q, high, _mm256_extracti128_si256(k, 1)));
    }
    return _mm256_add_epi32(k, q->zero_code);
}

/* Fewer than GROUP elements: a padded copy, packed by the plain code. */
static void quantise_tail(quantise_mode mode, const quantiser *q, const oi_quantise_job *job,
                          size_t first, size_t count, const uint32_t *words)
{
    float padded[GROUP] = {0};
    uint32_t codes[GROUP];

    memcpy(padded, job->x + first, count * sizeof *padded);
    for (size_t i = 0; i < GROUP; i += 8)
        _mm256_storeu_si256((__m256i *)(codes + i),
                            quantise_vector(mode, q, padded + i, job->carried ? padded + i : NULL,
                                            words ? words + i : NULL));
    oi_codes_pack(job->bits, codes, count, job->symbols + first / 4 * job->bits / 2);
    if (job->carried)
        memcpy(job->carried + first, padded, count * sizeof *padded);
}

/* The whole groups among count <= PIECE elements of one block; returns how many elements those are.
 * What is constant where this is inlined costs nothing: B, the mode, whether there is feedback. The
 * quantiser is a copy, since the stores might change any other. words: NULL unless stochastic */
OI_INLINE size_t quantise_groups(uint32_t bits, quantise_mode mode, quantiser q, const float *x,
                                 float *carried, const uint32_t *words, size_t count,
                                 uint8_t *symbols, bool bypass)
{
    size_t i = 0;

    for (; count - i >= GROUP; i += GROUP) {
        __m256i code[VECTORS];

        _mm_prefetch((const char *)(x + i) + PREFETCH_BYTES, _MM_HINT_T0);
        _mm_prefetch((const char *)(x + i) + PREFETCH_BYTES + 64, _MM_HINT_T0);
        for (size_t v = 0; v < VECTORS; v++) {
            size_t at = i + 8 * v;

            code[v] = quantise_vector(mode, &q, x + at, carried ? carried + at : NULL,
                                      words ? words + at : NULL);
        }
        store_codes(bits, code, symbols + i / 4 * bits / 2, bypass);
    }
    return i;
}

static void quantise_stochastic(const oi_quantise_job *job, const quantiser *q, size_t first,
                                size_t count)
{
    uint32_t words[PIECE + GROUP];

    for (size_t i = 0, done; i < count; i += PIECE) {
        size_t at = first + i, some = oi_smaller(PIECE, count - i);

        oi_philox_words(job->stream.seed, job->stream.step, job->stream.element_first + at, some,
                        OI_PURPOSE_QUANTISE, words);
        memset(words + some, 0, GROUP * sizeof *words);
        done = quantise_groups(job->bits, MODE_STOCHASTIC, *q, job->x + at,
                               job->carried ? job->carried + at : NULL, words, some,
                               job->symbols + at / 4 * job->bits / 2, false);
        if (done < some)
            quantise_tail(MODE_STOCHASTIC, q, job, at + done, some - done, words + done);
    }
}

/* `count` elements of one block with a scale, from `first` on */
OI_INLINE void quantise_block(const oi_quantise_job *job, uint32_t bits, uint8_t byte, size_t first,
                              size_t count, bool bypass)
{
    int exponent = oi_exponent_of_byte(bits, byte);
    quantiser q = make_quantiser(bits, exponent, job->turn);
    const float *x = job->x + first;
    float *carried = job->carried ? job->carried + first : NULL;
    uint8_t *symbols = job->symbols + first / 4 * bits / 2;
    quantise_mode mode = MODE_DOUBLE;
    size_t done;

    if (job->rounding == OPTINC_ROUND_STOCHASTIC) {
        quantise_stochastic(job, &q, first, count);
        return;
    }
    if (bits <= OI_BITS_FLOAT_MAX && oi_is_normal_exponent(-exponent)) {
        mode = MODE_FLOAT;
        done = carried
                   ? quantise_groups(bits, MODE_FLOAT, q, x, carried, NULL, count, symbols, bypass)
                   : quantise_groups(bits, MODE_FLOAT, q, x, NULL, NULL, count, symbols, bypass);
    } else {
        done = quantise_groups(bits, MODE_DOUBLE, q, x, carried, NULL, count, symbols, bypass);
    }
    if (done < count)
        quantise_tail(mode, &q, job, first + done, count - done, NULL);
}

/* Zero and non-finite blocks hold nothing but the zero code. */
OI_INLINE void fill_zero_codes(const oi_quantise_job *job, uint32_t bits, size_t first,
                               size_t count)
{
    const __m256i zero = _mm256_set1_epi32((int)(1u << (bits - 1)));
    const __m256i code[VECTORS] = {zero, zero, zero, zero};
    uint32_t rest[GROUP];
    size_t i = 0;

    for (; count - i >= GROUP; i += GROUP)
        store_codes(bits, code, job->symbols + (first + i) / 4 * bits / 2, false);
    for (size_t j = 0; j < count - i; j++)
        rest[j] = (uint32_t)1 << (bits - 1);
    oi_codes_pack(bits, rest, count - i, job->symbols + (first + i) / 4 * bits / 2);
}

OI_INLINE void quantise_bits(const oi_quantise_job *job, uint32_t bits)
{
    /* groups are 4 B bytes apart: from an aligned start, in aligned blocks, all stay aligned */
    bool bypass = job->bypass_cache && (bits == 4 || bits == 8 || bits == 16 || bits == 32) &&
                  (uintptr_t)job->symbols % 32 == 0 && job->block_size % (2 * GROUP) == 0;

    for (size_t first = 0, block = 0; first < job->count; first += job->block_size, block++) {
        size_t count = oi_smaller(job->block_size, job->count - first);
        uint8_t byte = job->exponents[block];

        if (!oi_exponent_is_scale(byte)) {
            fill_zero_codes(job, bits, first, count);
            if (job->carried && byte == OPTINC_EXPONENT_NON_FINITE)
                memset(job->carried + first, 0, count * sizeof *job->carried);
            continue;
        }
        quantise_block(job, bits, byte, first, count, bypass);
    }
    if (bypass)
        _mm_sfence();
}

void oi_quantise_avx2(const oi_quantise_job *job)
{
    switch (job->bits) {
    case 4:
        quantise_bits(job, 4);
        break;
    case 8:
        quantise_bits(job, 8);
        break;
    case 16:
        quantise_bits(job, 16);
        break;
    default:
        quantise_bits(job, job->bits);
    }
}
#endif
