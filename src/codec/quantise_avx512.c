/* SPDX-License-Identifier: Apache-2.0 */
/* Exponents and codes in AVX-512 (F, BW, VL, DQ): groups of 64 elements, the same bits as plain.c.
 * B bits; L = 2^(B-1)-1, the largest quantised magnitude. */
#include "codec/kernel.h"

#if defined(__AVX512BW__)
#include "base/philox.h"
#include "codec/pack_avx512.h"
#include "codec/vector.h"

#define PIECE 1024u
#define PREFETCH_BYTES 2048

static uint32_t largest_magnitude(const float *x, size_t count)
{
    const __m512i mask = _mm512_set1_epi32(0x7FFFFFFF);
    __m512i largest[VECTORS] = {_mm512_setzero_si512(), _mm512_setzero_si512(),
                                _mm512_setzero_si512(), _mm512_setzero_si512()};
    size_t i = 0;

    for (; count - i >= GROUP; i += GROUP)
        for (size_t v = 0; v < VECTORS; v++) {
            _mm_prefetch((const char *)(x + i + 16 * v) + PREFETCH_BYTES, _MM_HINT_T0);
            largest[v] = _mm512_max_epu32(
                largest[v], _mm512_and_si512(_mm512_loadu_si512(x + i + 16 * v), mask));
        }
    for (; i < count; i += 16) {
        __mmask16 lanes = (__mmask16)(count - i >= 16 ? 0xFFFFu : (1u << (count - i)) - 1);

        largest[0] = _mm512_max_epu32(
            largest[0], _mm512_and_si512(_mm512_maskz_loadu_epi32(lanes, x + i), mask));
    }
    return _mm512_reduce_max_epu32(_mm512_max_epu32(_mm512_max_epu32(largest[0], largest[1]),
                                                    _mm512_max_epu32(largest[2], largest[3])));
}

void oi_exponents_avx512(const oi_exponent_job *job)
{
    for (size_t first = 0, block = 0; first < job->count; first += job->block_size, block++)
        job->exponents[block] = oi_exponent_byte(
            job->bits,
            largest_magnitude(job->x + first, oi_smaller(job->block_size, job->count - first)));
}

/* In float the product with 2^-e is exact, or so small that it rounds to 0. Where 2^-e or L is not
 * a float, in double, as in the plain version; so is stochastic rounding. */
typedef enum quantise_mode { MODE_FLOAT, MODE_DOUBLE, MODE_STOCHASTIC } quantise_mode;

/* One block's constants; scale is for MODE_FLOAT only. */
typedef struct quantiser {
    __m512 scale, limit;
    __m512d scale_double, limit_double, unit;
    __m512i zero_code;
} quantiser;

OI_INLINE quantiser make_quantiser(uint32_t bits, int exponent, optinc_turn turn)
{
    double limit = (double)((1u << (bits - 1)) - 1);
    quantiser q;

    q.scale = turned_ps(oi_is_normal_exponent(-exponent) ? oi_power_of_two(-exponent) : 0, turn);
    q.limit = _mm512_set1_ps((float)limit);
    q.scale_double = turned_pd(oi_power_of_two_double(-exponent), turn);
    q.limit_double = _mm512_set1_pd(limit);
    q.unit = turned_pd(oi_power_of_two_double(exponent), turn);
    q.zero_code = _mm512_set1_epi32((int)(1u << (bits - 1)));
    return q;
}

/* floor(v + word / 2^32), as in plain.c; whole numbers */
OI_INLINE __m512d round_stochastic(__m512d v, __m256i word)
{
    const __m512d one = _mm512_set1_pd(1);
    __m512d u = _mm512_mul_pd(_mm512_cvtepu32_pd(word), _mm512_set1_pd(0x1p-32));
    __m512d magnitude = _mm512_abs_pd(v);
    __m512d whole = _mm512_floor_pd(magnitude);
    __m512d fraction = _mm512_sub_pd(magnitude, whole);
    __mmask8 negative = _mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_LT_OQ);
    __mmask8 up_negative = _mm512_cmp_pd_mask(fraction, u, _CMP_GT_OQ);
    __mmask8 up_positive = _mm512_cmp_pd_mask(fraction, _mm512_sub_pd(one, u), _CMP_GE_OQ);
    __mmask8 up = (__mmask8)((negative & up_negative) | (~negative & up_positive));
    __m512d rounded = _mm512_mask_add_pd(whole, up, whole, one);

    return _mm512_mask_sub_pd(rounded, negative, _mm512_setzero_pd(), rounded);
}

/* Clamped before it is rounded, which is the same for a whole limit; a NaN becomes the second
 * operand of max. */
OI_INLINE __m256i clamp_double(const quantiser *q, __m512d v)
{
    v = _mm512_max_pd(v, _mm512_sub_pd(_mm512_setzero_pd(), q->limit_double));
    return _mm512_cvtpd_epi32(_mm512_min_pd(v, q->limit_double));
}

/* 8 elements to k; words: NULL unless stochastic */
OI_INLINE __m256i quantise_double(const quantiser *q, __m256 x, const uint32_t *words)
{
    __m512d v = _mm512_mul_pd(_mm512_cvtps_pd(x), q->scale_double);

    if (words)
        v = round_stochastic(v, _mm256_loadu_si256((const __m256i *)words));
    return clamp_double(q, v);
}

/* x - 2^e k: 2^e k is exact in double, so the fused product rounds like the plain one */
OI_INLINE __m256 error_left(const quantiser *q, __m256 x, __m256i k)
{
    return _mm512_cvtpd_ps(_mm512_fnmadd_pd(_mm512_cvtepi32_pd(k), q->unit, _mm512_cvtps_pd(x)));
}

/* 16 elements to their codes; `carried`, if there is one, gets the quantisation error */
OI_INLINE __m512i quantise_vector(quantise_mode mode, const quantiser *q, const float *x,
                                  float *carried, const uint32_t *words)
{
    __m512 value = _mm512_loadu_ps(x);
    __m256 low = _mm512_castps512_ps256(value), high = _mm512_extractf32x8_ps(value, 1);
    __m512i k;

    if (mode == MODE_FLOAT) {
        __m512 v = _mm512_mul_ps(value, q->scale);

        v = _mm512_max_ps(v, _mm512_sub_ps(_mm512_setzero_ps(), q->limit));
        k = _mm512_cvtps_epi32(_mm512_min_ps(v, q->limit));
    } else {
        bool drawn = mode == MODE_STOCHASTIC;
        __m256i k_low = quantise_double(q, low, drawn ? words : NULL);
        __m256i k_high = quantise_double(q, high, drawn ? words + 8 : NULL);

        k = _mm512_inserti32x8(_mm512_castsi256_si512(k_low), k_high, 1);
    }
    if (carried) {
        _mm256_storeu_ps(carried, error_left(q, low, _mm512_castsi512_si256(k)));
        _mm256_storeu_ps(carried + 8, error_left(q, high, _mm512_extracti32x8_epi32(k, 1)));
    }
    return _mm512_add_epi32(k, q->zero_code);
}

/* Fewer than GROUP elements: a padded copy, whose codes beyond `count` are made zero bits. */
static void quantise_tail(quantise_mode mode, const quantiser *q, const oi_quantise_job *job,
                          size_t first, size_t count, const uint32_t *words)
{
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    float padded[GROUP] = {0};
    uint8_t bytes[GROUP * sizeof(uint32_t)];
    __m512i code[VECTORS];

    memcpy(padded, job->x + first, count * sizeof *padded);
    for (size_t v = 0; v < VECTORS; v++) {
        __mmask16 used = _mm512_cmp_epu32_mask(lane, _mm512_set1_epi32((int)count - (int)(16 * v)),
                                               _MM_CMPINT_LT);

        used = 16 * v < count ? used : 0;
        code[v] = _mm512_maskz_mov_epi32(
            used, quantise_vector(mode, q, padded + 16 * v, job->carried ? padded + 16 * v : NULL,
                                  words ? words + 16 * v : NULL));
    }
    store_codes(job->bits, code, bytes, false);
    memcpy(job->symbols + first / 4 * job->bits / 2, bytes, (count * job->bits + 7) / 8);
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
        __m512i code[VECTORS];

        for (size_t v = 0; v < VECTORS; v++)
            _mm_prefetch((const char *)(x + i + 16 * v) + PREFETCH_BYTES, _MM_HINT_T0);
        for (size_t v = 0; v < VECTORS; v++) {
            size_t at = i + 16 * v;

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
    const __m512i zero = _mm512_set1_epi32((int)(1u << (bits - 1)));
    const __m512i code[VECTORS] = {zero, zero, zero, zero};
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
    /* groups are 8 B bytes apart: from an aligned start with aligned blocks all stay aligned */
    size_t alignment = bits == 4 ? 32 : 64;
    bool bypass = job->bypass_cache && bits % 4 == 0 && (uintptr_t)job->symbols % alignment == 0 &&
                  job->block_size % GROUP == 0;

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

void oi_quantise_avx512(const oi_quantise_job *job)
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
