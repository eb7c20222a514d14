/* SPDX-License-Identifier: Apache-2.0 */
/* 32 codes in four vectors <-> 4 B bytes of packed symbols. Included by AVX2 files only. */
#ifndef OI_CODEC_PACK_AVX2_H
#define OI_CODEC_PACK_AVX2_H

#include "codec/kernel.h"

#include <immintrin.h>

#define GROUP 32u
#define VECTORS 4u /* of 8 elements each */

/* bytes of codes below 256, in order */
static inline __m256i narrow_to_bytes(const __m256i code[VECTORS])
{
    const __m256i order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
    __m256i bytes = _mm256_packus_epi16(_mm256_packus_epi32(code[0], code[1]),
                                        _mm256_packus_epi32(code[2], code[3]));

    return _mm256_permutevar8x32_epi32(bytes, order);
}

static inline __m256i narrow_to_words(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), _MM_SHUFFLE(3, 1, 2, 0));
}

/* the low bytes of 16 words, in order */
static inline __m128i narrow_words(__m256i words)
{
    __m256i packed = _mm256_packus_epi16(words, words);

    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, _MM_SHUFFLE(3, 1, 2, 0)));
}

static inline void store_vector(void *to, __m256i value, bool bypass)
{
    if (bypass)
        _mm256_stream_si256(to, value);
    else
        _mm256_storeu_si256(to, value);
}

/* bypass: `to` is aligned to 32 bytes, for B = 4 to 16 */
static inline void store_codes(uint32_t bits, const __m256i code[VECTORS], uint8_t *to, bool bypass)
{
    __m256i pairs;
    uint32_t codes[GROUP];

    switch (bits) {
    case 4:
        pairs = _mm256_maddubs_epi16(narrow_to_bytes(code), _mm256_set1_epi16(0x1001));
        if (bypass)
            _mm_stream_si128((__m128i *)to, narrow_words(pairs));
        else
            _mm_storeu_si128((__m128i *)to, narrow_words(pairs));
        break;
    case 8:
        store_vector(to, narrow_to_bytes(code), bypass);
        break;
    case 16:
        store_vector(to, narrow_to_words(code[0], code[1]), bypass);
        store_vector(to + 32, narrow_to_words(code[2], code[3]), bypass);
        break;
    case 32:
        for (size_t v = 0; v < VECTORS; v++)
            store_vector(to + 32 * v, code[v], bypass);
        break;
    default:
        for (size_t v = 0; v < VECTORS; v++)
            _mm256_storeu_si256((__m256i *)(codes + 8 * v), code[v]);
        oi_codes_pack(bits, codes, GROUP, to);
    }
}

static inline void load_codes(uint32_t bits, const uint8_t *from, __m256i code[VECTORS])
{
    uint8_t bytes[GROUP];
    uint32_t codes[GROUP];

    switch (bits) {
    case 4: {
        __m256i words = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)from));
        __m256i low = _mm256_and_si256(words, _mm256_set1_epi16(0x0F));
        __m256i high = _mm256_slli_epi16(_mm256_srli_epi16(words, 4), 8);

        _mm256_storeu_si256((__m256i *)bytes, _mm256_or_si256(low, high));
        from = bytes;
    }
        /* fall through */
    case 8:
        for (size_t v = 0; v < VECTORS; v++)
            code[v] = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(from + 8 * v)));
        break;
    case 16:
        for (size_t v = 0; v < VECTORS; v++)
            code[v] = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(from + 16 * v)));
        break;
    case 32:
        for (size_t v = 0; v < VECTORS; v++)
            code[v] = _mm256_loadu_si256((const __m256i *)(from + 32 * v));
        break;
    default:
        oi_codes_unpack(bits, from, GROUP, codes);
        for (size_t v = 0; v < VECTORS; v++)
            code[v] = _mm256_loadu_si256((const __m256i *)(codes + 8 * v));
    }
}

/* value in every lane, with the signs that elements from an even index on have */
static inline __m256 turned_ps(float value, optinc_turn turn)
{
    float even = turn == OPTINC_TURN_EVEN ? -value : value;
    float odd = turn == OPTINC_TURN_ODD ? -value : value;

    return _mm256_set_ps(odd, even, odd, even, odd, even, odd, even);
}

static inline __m256d turned_pd(double value, optinc_turn turn)
{
    double even = turn == OPTINC_TURN_EVEN ? -value : value;
    double odd = turn == OPTINC_TURN_ODD ? -value : value;

    return _mm256_set_pd(odd, even, odd, even);
}

#endif
