/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of exact_avx2.c, where the equations are, at twice the width; masks take the rest. */
#include "switch/exact.h"

#if defined(__AVX512BW__)
#include "switch/exact_loops.h"

#include <immintrin.h>

#define STEP 64u /* codes in a vector */

OI_DEFINE_AVERAGE(loop_narrow8, uint8_t, uint16_t)
OI_DEFINE_AVERAGE(wide8, uint8_t, uint32_t)
OI_DEFINE_AVERAGE(narrow16, uint16_t, uint32_t)
OI_DEFINE_AVERAGE(wide16, uint16_t, uint64_t)
OI_DEFINE_AVERAGE(narrow32, uint32_t, uint64_t)

static __mmask64 mask_of(size_t count)
{
    return count >= STEP ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

static __m512i average4(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i x = _mm512_avg_epu8(a, b);
    __m512i y = _mm512_avg_epu8(c, d);
    __m512i e12 = _mm512_or_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
    __m512i less =
        _mm512_and_si512(_mm512_and_si512(e12, _mm512_xor_si512(x, y)), _mm512_set1_epi8(1));

    return _mm512_sub_epi8(_mm512_avg_epu8(x, y), less);
}

static void run4(const oi_average_job *job)
{
    const uint8_t *a = job->symbols;
    const uint8_t *b = a + job->stride;
    const uint8_t *c = b + job->stride;
    const uint8_t *d = c + job->stride;
    size_t i = 0;

    for (; i + STEP <= job->count; i += STEP)
        _mm512_storeu_si512(job->result + i,
                            average4(_mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i),
                                     _mm512_loadu_si512(c + i), _mm512_loadu_si512(d + i)));
    if (i < job->count) {
        __mmask64 mask = mask_of(job->count - i);

        _mm512_mask_storeu_epi8(
            job->result + i, mask,
            average4(_mm512_maskz_loadu_epi8(mask, a + i), _mm512_maskz_loadu_epi8(mask, b + i),
                     _mm512_maskz_loadu_epi8(mask, c + i), _mm512_maskz_loadu_epi8(mask, d + i)));
    }
}

static void run(const oi_average_job *job)
{
    __m512i base = _mm512_set1_epi16((short)job->base);
    __m512i low = _mm512_set1_epi16(0xFF);
    __m128i shift = _mm_cvtsi32_si128((int)job->shift);

    for (size_t i = 0; i < job->count; i += STEP) {
        __mmask64 mask = mask_of(job->count - i);
        __m512i pairs = _mm512_setzero_si512();
        __m512i odd = _mm512_setzero_si512();
        __m512i even;

        for (uint32_t port = 0; port < job->port_count; port++) {
            __m512i codes = _mm512_maskz_loadu_epi8(mask, job->symbols + port * job->stride + i);

            pairs = _mm512_add_epi16(pairs, codes);
            odd = _mm512_add_epi16(odd, _mm512_srli_epi16(codes, 8));
        }
        even = _mm512_sub_epi16(pairs, _mm512_slli_epi16(odd, 8));
        even = _mm512_srl_epi16(_mm512_add_epi16(even, base), shift);
        odd = _mm512_srl_epi16(_mm512_add_epi16(odd, base), shift);
        even = _mm512_or_si512(_mm512_and_si512(even, low), _mm512_slli_epi16(odd, 8));
        _mm512_mask_storeu_epi8(job->result + i, mask, even);
    }
}

static void narrow8(const oi_average_job *job)
{
    if (job->offsets)
        loop_narrow8(job);
    else if (job->port_count == 4 && job->base == 2 && job->shift == 2)
        run4(job);
    else
        run(job);
}

const oi_exact_kernel *oi_exact_kernel_avx512(void)
{
    static const oi_exact_kernel kernel = {
        oi_average_all_nibbles, narrow8, wide8, narrow16, wide16, narrow32};

    return &kernel;
}
#else
const oi_exact_kernel *oi_exact_kernel_avx512(void)
{
    return NULL;
}
#endif
