/* SPDX-License-Identifier: Apache-2.0 */
/* Philox4x32-10, four counters at once; see philox_avx512.c. */
#include "base/philox_words.h"

#if defined(__AVX2__)
#include <immintrin.h>

#define LANES 4u

static inline __m256i mix(__m256i product, __m256i c, uint32_t key)
{
    return _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product, 32), c),
                            _mm256_set1_epi64x((long long)key));
}

static inline __m256i join(__m256i low, __m256i high)
{
    return _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xAA);
}

static void four(uint64_t seed, uint64_t step, uint64_t index, oi_purpose purpose, uint32_t *words)
{
    const __m256i lane = _mm256_set_epi64x(3, 1, 2, 0);
    const __m256i m0 = _mm256_set1_epi64x(OI_PHILOX_M0), m1 = _mm256_set1_epi64x(OI_PHILOX_M1);
    uint32_t last = ((uint32_t)(step >> 32) & 0xFFFFFFu) | ((uint32_t)purpose << 24);
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    __m256i c0 = _mm256_add_epi64(_mm256_set1_epi64x((long long)index), lane);
    __m256i c1 = _mm256_srli_epi64(c0, 32);
    __m256i c2 = _mm256_set1_epi64x((long long)(uint32_t)step);
    __m256i c3 = _mm256_set1_epi64x((long long)last);
    __m256i w01, w23;

    for (int round = 0; round < OI_PHILOX_ROUNDS; round++) {
        __m256i p0 = _mm256_mul_epu32(c0, m0), p1 = _mm256_mul_epu32(c2, m1);

        c0 = mix(p1, c1, key0);
        c2 = mix(p0, c3, key1);
        c1 = p1;
        c3 = p0;
        key0 += OI_PHILOX_W0;
        key1 += OI_PHILOX_W1;
    }
    w01 = join(c0, c1);
    w23 = join(c2, c3);
    _mm256_storeu_si256((__m256i *)words, _mm256_unpacklo_epi64(w01, w23));
    _mm256_storeu_si256((__m256i *)(words + 8), _mm256_unpackhi_epi64(w01, w23));
}

size_t oi_philox_words_avx2(uint64_t seed, uint64_t step, uint64_t index_first, size_t index_count,
                            oi_purpose purpose, uint32_t *words)
{
    size_t done = 0;

    for (; index_count - done >= LANES; done += LANES)
        four(seed, step, index_first + done, purpose, words + 4 * done);
    return done;
}
#endif
