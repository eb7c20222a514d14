/* SPDX-License-Identifier: Apache-2.0 */
/* 64 codes in four vectors <-> 8 B bytes of packed symbols. Included by AVX-512 files only. */
#ifndef OI_CODEC_PACK_AVX512_H
#define OI_CODEC_PACK_AVX512_H

#include "codec/kernel.h"

#include <immintrin.h>

#define GROUP 64u
#define VECTORS 4u /* of 16 elements each */

static inline void store(void *to, __m512i value, bool bypass)
{
    if (bypass)
        _mm512_stream_si512(to, value);
    else
        _mm512_storeu_si512(to, value);
}

/* bytes of codes below 256, in order */
static inline __m512i narrow_to_bytes(const __m512i code[VECTORS])
{
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    __m512i bytes = _mm512_packus_epi16(_mm512_packus_epi32(code[0], code[1]),
                                        _mm512_packus_epi32(code[2], code[3]));

    return _mm512_permutexvar_epi32(order, bytes);
}

static inline __m512i narrow_to_words(__m512i a, __m512i b)
{
    return _mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0),
                                    _mm512_packus_epi32(a, b));
}

/* 64 codes to 8 B bytes; bypass: `to` is aligned so that each vector is */
static inline void store_codes(uint32_t bits, const __m512i code[VECTORS], uint8_t *to, bool bypass)
{
    __m512i pairs;

    switch (bits) {
    case 2:
        pairs = _mm512_maddubs_epi16(narrow_to_bytes(code), _mm512_set1_epi16(0x0401));
        pairs = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00100001));
        _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(pairs));
        break;
    case 4:
        pairs = _mm512_maddubs_epi16(narrow_to_bytes(code), _mm512_set1_epi16(0x1001));
        if (bypass)
            _mm256_stream_si256((__m256i *)to, _mm512_cvtepi16_epi8(pairs));
        else
            _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi16_epi8(pairs));
        break;
    case 8:
        store(to, narrow_to_bytes(code), bypass);
        break;
    case 16:
        store(to, narrow_to_words(code[0], code[1]), bypass);
        store(to + 64, narrow_to_words(code[2], code[3]), bypass);
        break;
    case 32:
        for (size_t v = 0; v < VECTORS; v++)
            store(to + 64 * v, code[v], bypass);
        break;
    default: {
        uint32_t codes[GROUP];

        for (size_t v = 0; v < VECTORS; v++)
            _mm512_storeu_si512(codes + 16 * v, code[v]);
        oi_codes_pack(bits, codes, GROUP, to);
    }
    }
}

static inline void load_codes(uint32_t bits, const uint8_t *from, __m512i code[VECTORS])
{
    __m512i bytes;

    switch (bits) {
    case 4: {
        __m512i words = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)from));

        bytes = _mm512_or_si512(_mm512_and_si512(words, _mm512_set1_epi16(0x0F)),
                                _mm512_slli_epi16(_mm512_srli_epi16(words, 4), 8));
        code[0] = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(bytes));
        code[1] = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(bytes, 1));
        code[2] = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(bytes, 2));
        code[3] = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(bytes, 3));
        break;
    }
    case 8:
        for (size_t v = 0; v < VECTORS; v++)
            code[v] = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(from + 16 * v)));
        break;
    case 16:
        for (size_t v = 0; v < VECTORS; v++)
            code[v] = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(from + 32 * v)));
        break;
    case 32:
        for (size_t v = 0; v < VECTORS; v++)
            code[v] = _mm512_loadu_si512(from + 64 * v);
        break;
    default: {
        uint32_t codes[GROUP];

        oi_codes_unpack(bits, from, GROUP, codes);
        for (size_t v = 0; v < VECTORS; v++)
            code[v] = _mm512_loadu_si512(codes + 16 * v);
    }
    }
}

/* value in every lane, with the signs that elements from an even index on have */
static inline __m512 turned_ps(float value, optinc_turn turn)
{
    float even = turn == OPTINC_TURN_EVEN ? -value : value;
    float odd = turn == OPTINC_TURN_ODD ? -value : value;

    return _mm512_set4_ps(odd, even, odd, even);
}

static inline __m512d turned_pd(double value, optinc_turn turn)
{
    double even = turn == OPTINC_TURN_EVEN ? -value : value;
    double odd = turn == OPTINC_TURN_ODD ? -value : value;

    return _mm512_set4_pd(odd, even, odd, even);
}

#endif
