/* SPDX-License-Identifier: Apache-2.0 */
/* Philox4x32-10, eight counters at once: each 32-bit word has a 64-bit lane, in whose low half it
 * stands; what the upper half holds is never read (the multiplication takes low halves only). */
#include "base/philox_words.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define LANES 8u

/* hi(a b) ^ c ^ key */
static inline __m512i mix(__m512i product, __m512i c, uint32_t key)
{
    return _mm512_ternarylogic_epi64(_mm512_srli_epi64(product, 32), c,
                                     _mm512_set1_epi64((long long)key), 0x96);
}

static inline __m512i join(__m512i low, __m512i high)
{
    return _mm512_mask_blend_epi32(0xAAAA, low, _mm512_slli_epi64(high, 32));
}

static void eight(uint64_t seed, uint64_t step, uint64_t index, oi_purpose purpose, uint32_t *words)
{
    /* unpacklo and unpackhi below take every second lane: the even lanes come first */
    const __m512i lane = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    const __m512i m0 = _mm512_set1_epi64(OI_PHILOX_M0), m1 = _mm512_set1_epi64(OI_PHILOX_M1);
    uint32_t last = ((uint32_t)(step >> 32) & 0xFFFFFFu) | ((uint32_t)purpose << 24);
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    __m512i c0 = _mm512_add_epi64(_mm512_set1_epi64((long long)index), lane);
    __m512i c1 = _mm512_srli_epi64(c0, 32);
    __m512i c2 = _mm512_set1_epi64((long long)(uint32_t)step);
    __m512i c3 = _mm512_set1_epi64((long long)last);
    __m512i w01, w23;

    for (int round = 0; round < OI_PHILOX_ROUNDS; round++) {
        __m512i p0 = _mm512_mul_epu32(c0, m0), p1 = _mm512_mul_epu32(c2, m1);

        c0 = mix(p1, c1, key0);
        c2 = mix(p0, c3, key1);
        c1 = p1;
        c3 = p0;
        key0 += OI_PHILOX_W0;
        key1 += OI_PHILOX_W1;
    }
    w01 = join(c0, c1);
    w23 = join(c2, c3);
    _mm512_storeu_si512(words, _mm512_unpacklo_epi64(w01, w23));
    _mm512_storeu_si512(words + 16, _mm512_unpackhi_epi64(w01, w23));
}

size_t oi_philox_words_avx512(uint64_t seed, uint64_t step, uint64_t index_first,
                              size_t index_count, oi_purpose purpose, uint32_t *words)
{
    size_t done = 0;

    for (; index_count - done >= LANES; done += LANES)
        eight(seed, step, index_first + done, purpose, words + 4 * done);
    return done;
}
#endif
