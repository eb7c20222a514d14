/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks diag(d) U with U on the orthogonal group: move, pull back, project.
 *
 * The tangent space at U is { U X : X skew-symmetric }. Of a gradient G the part in it is
 * G - U sym(U'G) = U skew(U'G). A step U exp(X) stays on the group; exp(X) = I + X + X^2/2 + ... is
 * cut after the square, which leaves (I - X + X^2/2)(I + X + X^2/2) = I + X^4/4: U'U is off by the
 * fourth power of the step. A Newton-Schulz round U (3I - U'U)/2 squares what has gathered. */
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "onn/train_internal.h"

#define DRIFT_MAX 1e-4f      /* bound on |U'U - I| at which U is pulled back */
#define DRIFT_ROUNDING 1e-6f /* what float32 adds to it in a step, generously */
#define POLISH_ROUNDS 20
#define NEAREST_ROUNDS 8

size_t oi_segment_offset(const oi_train_layer *layer, uint32_t block)
{
    return layer->cols > layer->rows ? (size_t)block * layer->side
                                     : (size_t)block * layer->side * layer->cols;
}

/* U := U (3I - U'U)/2 */
static void newton_schulz(uint32_t side, float *u, float *gram, float *scratch)
{
    int n = (int)side;
    size_t count = (size_t)side * side;

    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, n, n, -0.5f, u, n, u, n, 0.0f, gram, n);
    for (uint32_t i = 0; i < side; i++)
        gram[(size_t)i * side + i] += 1.5f;
    memcpy(scratch, u, count * sizeof *u);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0f, scratch, n, gram, n, 0.0f,
                u, n);
}

void oi_segment_move(uint32_t side, float *u, float *step, float *drift, float *scratch_a,
                     float *scratch_b)
{
    int n = (int)side;
    size_t count = (size_t)side * side;
    float power = cblas_sdot((int)count, step, 1, step, 1);

    /* A skew-symmetric matrix has its singular values in pairs: |X|^2 <= |X|_F^2 / 2, which is kept
     * to 1. Adam's first steps are near a sign pattern of rank two, whose norm grows with the side;
     * beyond sqrt(3) a Newton-Schulz round would lead away. */
    if (power > 2.0f) {
        cblas_sscal((int)count, sqrtf(2.0f / power), step, 1);
        power = 2.0f;
    }
    *drift += 0.0625f * power * power + DRIFT_ROUNDING;
    memcpy(scratch_a, step, count * sizeof *step);
    for (uint32_t i = 0; i < side; i++)
        scratch_a[(size_t)i * side + i] += 1.0f;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 0.5f, step, n, step, n, 1.0f,
                scratch_a, n);
    memcpy(scratch_b, u, count * sizeof *u);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0f, scratch_b, n, scratch_a,
                n, 0.0f, u, n);
    if (*drift > DRIFT_MAX) {
        newton_schulz(side, u, scratch_a, scratch_b);
        *drift = *drift * *drift + DRIFT_ROUNDING;
    }
}

void oi_segment_weight(const oi_train_layer *layer, const float *param, uint32_t block,
                       float *weight)
{
    uint32_t side = layer->side;
    const float *u = param + layer->param_at + (size_t)block * side * side;
    const float *d = param + layer->diagonal_at + (size_t)block * side;
    float *w = weight + oi_segment_offset(layer, block);

    for (uint32_t i = 0; i < side; i++)
        for (uint32_t j = 0; j < side; j++)
            w[(size_t)i * layer->cols + j] = d[i] * u[(size_t)i * side + j];
}

double oi_segment_orthogonality(const oi_train_plan *plan, const float *param)
{
    double worst = 0.0;

    for (uint32_t k = 0; k < plan->layer_count; k++) {
        const oi_train_layer *layer = &plan->layers[k];
        uint32_t side = layer->side;

        for (uint32_t block = 0; layer->on_group && block < layer->block_count; block++) {
            const float *u = param + layer->param_at + (size_t)block * side * side;

            /* Rows against rows: UU' = I says the same as U'U = I. */
            for (uint32_t i = 0; i < side; i++)
                for (uint32_t j = 0; j <= i; j++) {
                    float dot =
                        cblas_sdot((int)side, u + (size_t)i * side, 1, u + (size_t)j * side, 1);

                    worst = fmax(worst, fabs((double)dot - (i == j)));
                }
        }
    }
    return worst;
}

/* gram = I - U'U; gives its largest element. */
static double defect(int n, const double *u, double *gram)
{
    double worst = 0.0;

    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, n, n, -1.0, u, n, u, n, 0.0, gram, n);
    for (int i = 0; i < n; i++)
        gram[(size_t)i * (size_t)n + (size_t)i] += 1.0;
    for (size_t i = 0; i < (size_t)n * (size_t)n; i++)
        worst = fabs(gram[i]) > worst || isnan(gram[i]) ? fabs(gram[i]) : worst;
    return worst;
}

optinc_status oi_segment_polish(uint32_t side, double *u, double *deviation)
{
    int n = (int)side;
    size_t count = (size_t)side * side;
    double *gram = oi_allocate(count, sizeof *gram), *copy = oi_allocate(count, sizeof *copy);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (!gram || !copy)
        goto out;
    status = OPTINC_ERR_NO_CONVERGENCE;
    for (int round = 0; round < POLISH_ROUNDS; round++) {
        *deviation = defect(n, u, gram);
        if (!(*deviation < 1.0))
            break;
        if (*deviation <= 1e-15 * side + 1e-15) {
            status = OPTINC_OK;
            break;
        }
        /* U + U (I - U'U)/2 */
        memcpy(copy, u, count * sizeof *u);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 0.5, copy, n, gram, n, 1.0,
                    u, n);
    }
out:
    oi_free(copy);
    oi_free(gram);
    return status;
}

optinc_status oi_segment_nearest(uint32_t side, const double *weight, size_t stride, double *d,
                                 double *u)
{
    int n = (int)side;
    size_t count = (size_t)side * side;
    double *a = oi_allocate(count, sizeof *a), *left = oi_allocate(count, sizeof *left);
    double *right = oi_allocate(count, sizeof *right), *value = oi_allocate(side, sizeof *value);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (!a || !left || !right || !value)
        goto out;
    status = OPTINC_OK;
    for (uint32_t i = 0; i < side; i++)
        d[i] = cblas_dnrm2(n, weight + i * stride, 1);
    for (int round = 0; round < NEAREST_ROUNDS && !status; round++) {
        for (uint32_t i = 0; i < side; i++)
            for (uint32_t j = 0; j < side; j++)
                a[(size_t)i * side + j] = d[i] * weight[i * stride + j];
        if (LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'A', n, n, a, n, value, left, n, right, n)) {
            status = OPTINC_ERR_NO_CONVERGENCE;
            break;
        }
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0, left, n, right, n, 0.0,
                    u, n);
        for (uint32_t i = 0; i < side; i++)
            d[i] = cblas_ddot(n, weight + i * stride, 1, u + (size_t)i * side, 1);
    }
out:
    oi_free(value);
    oi_free(right);
    oi_free(left);
    oi_free(a);
    return status;
}
