/* SPDX-License-Identifier: Apache-2.0 */
#include "switch/exact.h"

#if defined(__AVX2__)
#include "switch/exact_loops.h"

#include <immintrin.h>

#define STEP 32u /* codes in a vector */

OI_DEFINE_AVERAGE(loop_narrow8, uint8_t, uint16_t)
OI_DEFINE_AVERAGE(wide8, uint8_t, uint32_t)
OI_DEFINE_AVERAGE(narrow16, uint16_t, uint32_t)
OI_DEFINE_AVERAGE(wide16, uint16_t, uint64_t)
OI_DEFINE_AVERAGE(narrow32, uint32_t, uint64_t)

static __m256i load(const uint8_t *codes)
{
    return _mm256_loadu_si256((const __m256i *)codes);
}

/* floor((a + b + c + d + 2) / 4) in bytes alone. avg rounds up: with x = avg(a, b), e1 the lowest
 * bit of a ^ b, and y, e2 of c and d in the same way, a + b = 2x - e1, c + d = 2y - e2; with
 * z = avg(x, y) and e3 the lowest bit of x ^ y, x + y = 2z - e3. So
 *     (a + b + c + d + 2) / 4 = z + (2 - 2 e3 - e1 - e2) / 4,
 * whose floor is z - 1 if e3 and (e1 or e2), else z. */
static __m256i average4(__m256i a, __m256i b, __m256i c, __m256i d)
{
    __m256i x = _mm256_avg_epu8(a, b);
    __m256i y = _mm256_avg_epu8(c, d);
    __m256i e12 = _mm256_or_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
    __m256i less =
        _mm256_and_si256(_mm256_and_si256(e12, _mm256_xor_si256(x, y)), _mm256_set1_epi8(1));

    return _mm256_sub_epi8(_mm256_avg_epu8(x, y), less);
}

/* How many codes were done: whole vectors. */
static size_t run4(const oi_average_job *job)
{
    const uint8_t *a = job->symbols;
    const uint8_t *b = a + job->stride;
    const uint8_t *c = b + job->stride;
    const uint8_t *d = c + job->stride;
    size_t i = 0;

    for (; i + STEP <= job->count; i += STEP)
        _mm256_storeu_si256((__m256i *)(job->result + i),
                            average4(load(a + i), load(b + i), load(c + i), load(d + i)));
    return i;
}

/* Sums of all codes as 16-bit pairs (odd * 256 + even, modulo 2^16) and of the odd codes alone: the
 * even sums are the difference, since they are below 2^16. Three operations a port. */
static size_t run(const oi_average_job *job)
{
    __m256i base = _mm256_set1_epi16((short)job->base);
    __m256i low = _mm256_set1_epi16(0xFF);
    __m128i shift = _mm_cvtsi32_si128((int)job->shift);
    size_t i = 0;

    for (; i + STEP <= job->count; i += STEP) {
        __m256i pairs = _mm256_setzero_si256();
        __m256i odd = _mm256_setzero_si256();
        __m256i even;

        for (uint32_t port = 0; port < job->port_count; port++) {
            __m256i codes = load(job->symbols + port * job->stride + i);

            pairs = _mm256_add_epi16(pairs, codes);
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16(codes, 8));
        }
        even = _mm256_sub_epi16(pairs, _mm256_slli_epi16(odd, 8));
        even = _mm256_srl_epi16(_mm256_add_epi16(even, base), shift);
        odd = _mm256_srl_epi16(_mm256_add_epi16(odd, base), shift);
        even = _mm256_or_si256(_mm256_and_si256(even, low), _mm256_slli_epi16(odd, 8));
        _mm256_storeu_si256((__m256i *)(job->result + i), even);
    }
    return i;
}

static void narrow8(const oi_average_job *job)
{
    oi_average_job rest = *job;
    size_t done = 0;

    if (!job->offsets)
        done = job->port_count == 4 && job->base == 2 && job->shift == 2 ? run4(job) : run(job);
    rest.symbols += done;
    rest.result += done;
    rest.count -= done;
    loop_narrow8(&rest);
}

const oi_exact_kernel *oi_exact_kernel_avx2(void)
{
    static const oi_exact_kernel kernel = {
        oi_average_all_nibbles, narrow8, wide8, narrow16, wide16, narrow32};

    return &kernel;
}
#else
const oi_exact_kernel *oi_exact_kernel_avx2(void)
{
    return NULL;
}
#endif
