/* SPDX-License-Identifier: Apache-2.0 */
/* Noise during training, so that a design learns to bear it. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/philox.h"
#include "onn/train_internal.h"

/* Four standard normal values of one draw (Box-Muller in float32, 24-bit uniforms: up to 5.8
 * standard deviations). */
static void normal_four(const uint32_t word[4], float normal[4])
{
    const float two_pi = 6.2831853f;

    for (int i = 0; i < 4; i += 2) {
        float radius = sqrtf(-2.0f * logf(1.0f - oi_uniform_float(word[i])));
        float angle = two_pi * oi_uniform_float(word[i + 1]);

        normal[i] = radius * cosf(angle);
        normal[i + 1] = radius * sinf(angle);
    }
}

/* Full scale: the largest output of the layer in this chunk; 1 where units saturate; 3 at the
 * receiver. */
static float full_scale(const oi_train_layer *layer, bool last, size_t count, const float *z)
{
    float largest = 0.0f;

    if (last)
        return 3.0f;
    if (layer->activation == OPTINC_ACTIVATION_SATURATING)
        return 1.0f;
    for (size_t i = 0; i < count; i++)
        largest = z[i] > largest ? z[i] : largest;
    return largest;
}

void oi_noise_units(const oi_train_plan *plan, uint32_t index, uint64_t step, uint64_t first,
                    uint32_t count, double sigma, float *z)
{
    const oi_train_layer *layer = &plan->layers[index];
    size_t total = (size_t)count * layer->rows;
    float scale = (float)sigma * full_scale(layer, index + 1 == plan->layer_count, total, z);
    /* Draws of different layers and cases never meet: 2^32 a layer, 2^14 a case. */
    uint64_t base = (uint64_t)index << 48 | first * layer->rows;

    for (size_t i = 0; i < total; i += 4) {
        uint32_t word[4];
        float normal[4];

        oi_philox(plan->options.seed, OI_TRAIN_DRAW_STEP(OI_TRAIN_DRAW_UNIT, step), base + i,
                  OI_PURPOSE_TRAIN, word);
        normal_four(word, normal);
        for (size_t j = 0; j < 4 && i + j < total; j++)
            z[i + j] += scale * normal[j];
    }
}

/* Skew-symmetric x [side, side] with Gaussian entries. A mesh is a product of side (side-1)/2
 * rotations; an error e_i in the angle of each moves the product by U sum_i e_i X_i, X_i generators
 * turned by the rest of the mesh, each of the same length: to first order a skew matrix with
 * side (side-1)/2 entries of that same variance. */
static void random_skew(const oi_train_plan *plan, uint64_t step, uint64_t first, uint32_t side,
                        float *x)
{
    float sigma = (float)plan->options.phase_noise_rad;

    for (uint32_t i = 0; i < side; i++) {
        x[(size_t)i * side + i] = 0.0f;
        for (uint32_t j = i + 1; j < side; j += 4) {
            uint32_t word[4];
            float normal[4];

            oi_philox(plan->options.seed, OI_TRAIN_DRAW_STEP(OI_TRAIN_DRAW_PHASE, step),
                      first + (uint64_t)i * side + j, OI_PURPOSE_TRAIN, word);
            normal_four(word, normal);
            for (uint32_t k = 0; k < 4 && j + k < side; k++) {
                x[(size_t)i * side + j + k] = sigma * normal[k];
                x[(size_t)(j + k) * side + i] = -sigma * normal[k];
            }
        }
    }
}

void oi_noise_phases(const oi_trainer *trainer, oi_train_worker *worker, uint32_t index,
                     uint64_t step)
{
    const oi_train_plan *plan = trainer->plan;
    const oi_train_layer *layer = &plan->layers[index];
    uint64_t first = (uint64_t)index << 48;
    float *weight = trainer->weight + layer->weight_at;
    float *x = worker->block[0];
    int rows = (int)layer->rows, cols = (int)layer->cols, side = (int)layer->side;

    if (layer->on_group) {
        /* diag(d) U (I + X), block by block */
        for (uint32_t block = 0; block < layer->block_count; block++) {
            size_t area = (size_t)layer->side * layer->side;
            float *w = weight + oi_segment_offset(layer, block);

            random_skew(plan, step, first + block * area, layer->side, x);
            for (int i = 0; i < side; i++)
                memcpy(worker->block[1] + (size_t)i * layer->side, w + (size_t)i * layer->cols,
                       layer->side * sizeof *w);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side, side, side, 1.0f,
                        worker->block[1], side, x, side, 1.0f, w, cols);
        }
        return;
    }
    /* SVD: both meshes, W + W X_right + X_left W */
    const float *clean = trainer->state.param + layer->param_at;

    random_skew(plan, step, first, layer->cols, x);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, cols, cols, 1.0f, clean, cols, x,
                cols, 1.0f, weight, cols);
    random_skew(plan, step, first + ((uint64_t)1 << 40), layer->rows, x);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, cols, rows, 1.0f, x, rows, clean,
                cols, 1.0f, weight, cols);
}
