/* SPDX-License-Identifier: Apache-2.0 */
/* Codes to floats in AVX2: groups of 32 elements, the same bits as plain.c.
 * B bits, N ports, K servers, D = K for the mean and 1 for the sum. */
#include "codec/kernel.h"

#if defined(__AVX2__)
#include "codec/pack_avx2.h"
#include "codec/vector.h"

#define PREFETCH_BYTES 1024

typedef struct dequantiser {
    oi_dequantise_mode mode;
    __m256 step;
    __m256d factor, unit, divisor;
    __m256i zero_code;
} dequantiser;

static inline dequantiser make_dequantiser(const oi_dequantise_job *job, uint8_t byte)
{
    double unit = job->ports * oi_power_of_two_double(oi_exponent_of_byte(job->bits, byte));
    double factor = unit / job->divisor;
    dequantiser d;

    d.mode = oi_dequantise_mode_of(job->bits, job->divisor, factor);
    d.step = turned_ps(d.mode == OI_DEQUANTISE_POWER ? (float)factor : 0, job->turn);
    d.factor = turned_pd(factor, job->turn);
    d.unit = turned_pd(unit, job->turn);
    d.divisor = _mm256_set1_pd(job->divisor);
    d.zero_code = _mm256_set1_epi32((int)(1u << (job->bits - 1)));
    return d;
}

static inline __m128 dequantise_half(const dequantiser *d, __m128i k)
{
    __m256d value = _mm256_cvtepi32_pd(k);

    if (d->mode == OI_DEQUANTISE_RECIPROCAL)
        return _mm256_cvtpd_ps(_mm256_mul_pd(value, d->factor));
    return _mm256_cvtpd_ps(_mm256_div_pd(_mm256_mul_pd(value, d->unit), d->divisor));
}

static inline __m256 dequantise_vector(const dequantiser *d, __m256i code)
{
    __m256i k = _mm256_sub_epi32(code, d->zero_code);

    if (d->mode == OI_DEQUANTISE_POWER)
        return _mm256_mul_ps(_mm256_cvtepi32_ps(k), d->step);
    return _mm256_set_m128(dequantise_half(d, _mm256_extracti128_si256(k, 1)),
                           dequantise_half(d, _mm256_castsi256_si128(k)));
}

static void dequantise_tail(const dequantiser *d, const oi_dequantise_job *job, size_t first,
                            size_t count)
{
    uint8_t bytes[GROUP * sizeof(uint32_t)] = {0};
    float padded[GROUP];
    __m256i code[VECTORS];

    memcpy(bytes, job->symbols + first / 4 * job->bits / 2, (count * job->bits + 7) / 8);
    load_codes(job->bits, bytes, code);
    for (size_t v = 0; v < VECTORS; v++)
        _mm256_storeu_ps(padded + 8 * v, dequantise_vector(d, code[v]));
    memcpy(job->y + first, padded, count * sizeof *padded);
}

/* The whole groups among `count` elements; returns how many elements those are. B and the mode are
 * constants where this is inlined; the dequantiser is a copy, since the stores might change any
 * other. */
OI_INLINE size_t dequantise_groups(uint32_t bits, oi_dequantise_mode mode, dequantiser d,
                                   const uint8_t *symbols, size_t count, float *y, bool bypass)
{
    size_t i = 0;

    d.mode = mode;
    for (; count - i >= GROUP; i += GROUP) {
        const uint8_t *from = symbols + i / 4 * bits / 2;
        __m256i code[VECTORS];

        _mm_prefetch((const char *)from + PREFETCH_BYTES, _MM_HINT_T0);
        load_codes(bits, from, code);
        for (size_t v = 0; v < VECTORS; v++)
            store_vector(y + i + 8 * v, _mm256_castps_si256(dequantise_vector(&d, code[v])),
                         bypass);
    }
    return i;
}

OI_INLINE void dequantise_block(const oi_dequantise_job *job, uint32_t bits, const dequantiser *d,
                                size_t first, size_t count, bool bypass)
{
    const uint8_t *symbols = job->symbols + first / 4 * bits / 2;
    float *y = job->y + first;
    size_t done = 0;

    switch (d->mode) {
    case OI_DEQUANTISE_POWER:
        done = dequantise_groups(bits, OI_DEQUANTISE_POWER, *d, symbols, count, y, bypass);
        break;
    case OI_DEQUANTISE_RECIPROCAL:
        done = dequantise_groups(bits, OI_DEQUANTISE_RECIPROCAL, *d, symbols, count, y, bypass);
        break;
    case OI_DEQUANTISE_DIVIDE:
        done = dequantise_groups(bits, OI_DEQUANTISE_DIVIDE, *d, symbols, count, y, bypass);
        break;
    }
    if (done < count)
        dequantise_tail(d, job, first + done, count - done);
}

OI_INLINE void dequantise_bits(const oi_dequantise_job *job, uint32_t bits)
{
    bool bypass = job->bypass_cache && (uintptr_t)job->y % 32 == 0 && job->block_size % GROUP == 0;

    for (size_t first = 0, block = 0; first < job->count; first += job->block_size, block++) {
        size_t count = oi_smaller(job->block_size, job->count - first);
        uint8_t byte = job->exponents[block];

        if (byte == OPTINC_EXPONENT_NON_FINITE)
            continue;
        if (byte == OPTINC_EXPONENT_ZERO) {
            memset(job->y + first, 0, count * sizeof *job->y);
            continue;
        }
        dequantiser d = make_dequantiser(job, byte);

        dequantise_block(job, bits, &d, first, count, bypass);
    }
    if (bypass)
        _mm_sfence();
}

void oi_dequantise_avx2(const oi_dequantise_job *job)
{
    switch (job->bits) {
    case 4:
        dequantise_bits(job, 4);
        break;
    case 8:
        dequantise_bits(job, 8);
        break;
    case 16:
        dequantise_bits(job, 16);
        break;
    default:
        dequantise_bits(job, job->bits);
    }
}
#endif
