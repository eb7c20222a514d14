/* SPDX-License-Identifier: Apache-2.0 */
/* oi_layer_plain with AVX-512: the same operations in the same order, so the same bits. */
#if defined(__AVX512F__)
#include "onn/forward.h"

#include <immintrin.h>

#define LANES 8u
#define GROUP (2 * LANES) /* elements whose sums stay in registers */

static inline __m512d activate(optinc_activation activation, __m512d x)
{
    /* the order of operands decides what a NaN gives: 0, as oi_activate */
    if (activation != OPTINC_ACTIVATION_LINEAR)
        x = _mm512_max_pd(x, _mm512_setzero_pd());
    if (activation == OPTINC_ACTIVATION_SATURATING)
        x = _mm512_min_pd(x, _mm512_set1_pd(1.0));
    return x;
}

static inline __attribute__((always_inline)) void run_rows(const optinc_layer *layer,
                                                           uint32_t row_first, uint32_t row_count,
                                                           const double *x, double *y)
{
    const double *weight = layer->weight + (size_t)row_first * layer->cols;

    for (uint32_t e = 0; e < OI_TILE; e += GROUP) {
        __m512d sum[4][2];

        for (uint32_t r = 0; r < row_count; r++)
            sum[r][0] = sum[r][1] = _mm512_set1_pd(layer->bias[row_first + r]);
        for (uint32_t col = 0; col < layer->cols; col++) {
            __m512d x0 = _mm512_load_pd(x + (size_t)col * OI_TILE + e);
            __m512d x1 = _mm512_load_pd(x + (size_t)col * OI_TILE + e + LANES);

            for (uint32_t r = 0; r < row_count; r++) {
                __m512d w = _mm512_set1_pd(*(weight + (size_t)r * layer->cols + col));

                sum[r][0] = _mm512_fmadd_pd(w, x0, sum[r][0]);
                sum[r][1] = _mm512_fmadd_pd(w, x1, sum[r][1]);
            }
        }
        for (uint32_t r = 0; r < row_count; r++) {
            double *out = y + (size_t)(row_first + r) * OI_TILE + e;

            _mm512_store_pd(out, activate(layer->activation, sum[r][0]));
            _mm512_store_pd(out + LANES, activate(layer->activation, sum[r][1]));
        }
    }
}

void oi_layer_avx512(const optinc_layer *layer, const double *x, double *y)
{
    uint32_t row = 0;

    for (; row + 4 <= layer->rows; row += 4)
        run_rows(layer, row, 4, x, y);
    for (; row < layer->rows; row++)
        run_rows(layer, row, 1, x, y);
}
#else
typedef int oi_layer_avx512_not_built; /* ISO C wants a declaration */
#endif
