/* SPDX-License-Identifier: Apache-2.0 */
/* Where training starts: orthogonal blocks, Gaussian matrices elsewhere. */
#include <lapacke.h>
#include <math.h>

#include "base/memory.h"
#include "base/philox.h"
#include "onn/train_internal.h"

/* Haar: QR of a Gaussian matrix, the signs of R's diagonal moved into Q (Mezzadri 2007). */
static optinc_status random_orthogonal(uint64_t seed, uint64_t first, uint32_t side, float *u)
{
    size_t count = (size_t)side * side;
    double *a = oi_allocate(count, sizeof *a), *tau = oi_allocate(side, sizeof *tau);
    double *sign = oi_allocate(side, sizeof *sign);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (!a || !tau || !sign)
        goto out;
    for (size_t i = 0; i < count; i += 2) {
        uint32_t word[4];
        double normal[2];

        oi_philox(seed, OI_TRAIN_DRAW_STEP(OI_TRAIN_DRAW_INITIAL, 0), first + i, OI_PURPOSE_TRAIN,
                  word);
        oi_normal_pair(word, normal);
        a[i] = normal[0];
        if (i + 1 < count)
            a[i + 1] = normal[1];
    }
    status = OPTINC_ERR_NO_CONVERGENCE;
    if (LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, (int)side, (int)side, a, (int)side, tau))
        goto out;
    for (uint32_t i = 0; i < side; i++)
        sign[i] = a[(size_t)i * side + i] < 0.0 ? -1.0 : 1.0;
    if (LAPACKE_dorgqr(LAPACK_ROW_MAJOR, (int)side, (int)side, (int)side, a, (int)side, tau))
        goto out;
    for (size_t i = 0; i < count; i++)
        u[i] = (float)(a[i] * sign[i % side]);
    status = OPTINC_OK;
out:
    oi_free(sign);
    oi_free(tau);
    oi_free(a);
    return status;
}

/* U keeps lengths; d keeps the activations' scale through the layers: ReLU halves the power of what
 * it passes, a wide layer adds up block_count blocks. */
static optinc_status initialise_blocks(const oi_train_plan *plan, uint32_t index, float *param)
{
    const oi_train_layer *layer = &plan->layers[index];
    double blocks = layer->cols > layer->rows ? layer->block_count : 1.0;
    double gain = layer->activation == OPTINC_ACTIVATION_RELU ? 2.0 : 1.0;
    float scale = (float)sqrt(gain / blocks);
    size_t area = (size_t)layer->side * layer->side;
    optinc_status status = OPTINC_OK;

    for (uint32_t i = 0; i < layer->block_count && !status; i++) {
        status = random_orthogonal(plan->options.seed, layer->param_at + i * area, layer->side,
                                   param + layer->param_at + i * area);
        if (layer->on_group)
            for (uint32_t j = 0; j < layer->side; j++)
                param[layer->diagonal_at + i * layer->side + j] = scale;
    }
    if (layer->on_group || status)
        return status;
    /* Free W: the blocks go where they belong, one after another through a copy. */
    float *copy = oi_duplicate(param + layer->param_at, layer->block_count * area, sizeof *copy);

    if (!copy)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < layer->block_count; i++)
        for (size_t j = 0; j < area; j++)
            param[layer->param_at + oi_segment_offset(layer, i) + j / layer->side * layer->cols +
                  j % layer->side] = scale * copy[i * area + j];
    oi_free(copy);
    return OPTINC_OK;
}

/* Gaussian weights of variance gain / cols (He et al., 2015). */
static void initialise_free(const oi_train_plan *plan, uint32_t index, float *param)
{
    const oi_train_layer *layer = &plan->layers[index];
    double gain = layer->activation == OPTINC_ACTIVATION_RELU ? 2.0 : 1.0;
    double scale = sqrt(gain / layer->cols);
    size_t count = (size_t)layer->rows * layer->cols;

    for (size_t i = 0; i < count; i += 2) {
        uint32_t word[4];
        double normal[2];

        oi_philox(plan->options.seed, OI_TRAIN_DRAW_STEP(OI_TRAIN_DRAW_INITIAL, 0),
                  layer->param_at + i, OI_PURPOSE_TRAIN, word);
        oi_normal_pair(word, normal);
        param[layer->param_at + i] = (float)(scale * normal[0]);
        if (i + 1 < count)
            param[layer->param_at + i + 1] = (float)(scale * normal[1]);
    }
}

/* A unit of the first layer sees +-sqrt(2) times one input in -1 .. 1, so biases in +-1.4 put its
 * kink anywhere in the range; later ones get a little. Without this all kinks start at the inputs'
 * middle. */
static void spread_over_axes(const oi_train_plan *plan, float *param)
{
    for (uint32_t i = 0; i + 1 < plan->layer_count; i++) {
        const oi_train_layer *layer = &plan->layers[i];
        double range = i == 0 ? 1.4 : 0.5;
        uint32_t side = layer->side;

        for (uint32_t j = 0; j < layer->rows; j++) {
            uint32_t word[4];

            oi_philox(plan->options.seed, OI_TRAIN_DRAW_STEP(OI_TRAIN_DRAW_INITIAL, 1),
                      layer->bias_at + j, OI_PURPOSE_TRAIN, word);
            param[layer->bias_at + j] +=
                (float)(range * (2.0 * oi_uniform_double(word[0], word[1]) - 1.0));
        }
        for (uint32_t row = 0; i == 0 && layer->on_group && row < layer->block_count * side; row++)
            for (uint32_t j = 0; j < side; j++)
                param[layer->param_at + (size_t)row * side + j] = j != row % side  ? 0.0f
                                                                  : row / side % 2 ? -1.0f
                                                                                   : 1.0f;
    }
}

optinc_status oi_train_initialise(const oi_train_plan *plan, float *param)
{
    optinc_status status = OPTINC_OK;

    for (uint32_t i = 0; i < plan->layer_count && !status; i++) {
        const oi_train_layer *layer = &plan->layers[i];
        bool saturating = layer->activation == OPTINC_ACTIVATION_SATURATING;

        if (layer->side)
            status = initialise_blocks(plan, i, param);
        else
            initialise_free(plan, i, param);
        /* Outputs start in the middle of the digits, saturating units in the middle of theirs. */
        for (uint32_t j = 0; j < layer->rows; j++)
            param[layer->bias_at + j] = i + 1 == plan->layer_count ? 1.5f
                                        : saturating               ? 0.5f
                                                                   : 0.0f;
    }
    if (plan->options.start == OPTINC_TRAIN_START_AXES)
        spread_over_axes(plan, param);
    return status;
}
