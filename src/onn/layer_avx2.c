/* SPDX-License-Identifier: Apache-2.0 */
/* oi_layer_plain with AVX2 and FMA: the same operations in the same order, so the same bits. */
#if defined(__AVX2__) && defined(__FMA__)
#include "onn/forward.h"

#include <immintrin.h>

#define LANES 4u
#define GROUP (2 * LANES) /* elements whose sums stay in registers */

static inline __m256d activate(optinc_activation activation, __m256d x)
{
    /* the order of operands decides what a NaN gives: 0, as oi_activate */
    if (activation != OPTINC_ACTIVATION_LINEAR)
        x = _mm256_max_pd(x, _mm256_setzero_pd());
    if (activation == OPTINC_ACTIVATION_SATURATING)
        x = _mm256_min_pd(x, _mm256_set1_pd(1.0));
    return x;
}

static inline __attribute__((always_inline)) void run_rows(const optinc_layer *layer,
                                                           uint32_t row_first, uint32_t row_count,
                                                           const double *x, double *y)
{
    const double *weight = layer->weight + (size_t)row_first * layer->cols;

    for (uint32_t e = 0; e < OI_TILE; e += GROUP) {
        __m256d sum[4][2];

        for (uint32_t r = 0; r < row_count; r++)
            sum[r][0] = sum[r][1] = _mm256_set1_pd(layer->bias[row_first + r]);
        for (uint32_t col = 0; col < layer->cols; col++) {
            __m256d x0 = _mm256_load_pd(x + (size_t)col * OI_TILE + e);
            __m256d x1 = _mm256_load_pd(x + (size_t)col * OI_TILE + e + LANES);

            for (uint32_t r = 0; r < row_count; r++) {
                __m256d w = _mm256_broadcast_sd(weight + (size_t)r * layer->cols + col);

                sum[r][0] = _mm256_fmadd_pd(w, x0, sum[r][0]);
                sum[r][1] = _mm256_fmadd_pd(w, x1, sum[r][1]);
            }
        }
        for (uint32_t r = 0; r < row_count; r++) {
            double *out = y + (size_t)(row_first + r) * OI_TILE + e;

            _mm256_store_pd(out, activate(layer->activation, sum[r][0]));
            _mm256_store_pd(out + LANES, activate(layer->activation, sum[r][1]));
        }
    }
}

void oi_layer_avx2(const optinc_layer *layer, const double *x, double *y)
{
    uint32_t row = 0;

    for (; row + 4 <= layer->rows; row += 4)
        run_rows(layer, row, 4, x, y);
    for (; row < layer->rows; row++)
        run_rows(layer, row, 1, x, y);
}
#else
typedef int oi_layer_avx2_not_built; /* ISO C wants a declaration */
#endif
