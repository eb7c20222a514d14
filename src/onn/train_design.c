/* SPDX-License-Identifier: Apache-2.0 */
/* From trained parameters to a design: in double precision, blocks made orthogonal to it, the
 * inputs' scaling folded into the first layer. */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "onn/train_internal.h"

/* The network saw x = in / 1.5 - 1. One factor for all inputs keeps the first layer's blocks
 * diagonal times orthogonal. */
#define INPUT_FACTOR (1.0 / 1.5)
#define INPUT_OFFSET (-1.0)

static void place_block(const oi_train_layer *layer, uint32_t block, const double *d,
                        const double *u, double *weight)
{
    size_t side = layer->side;
    double *w = weight + oi_segment_offset(layer, block);

    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < side; j++)
            w[i * layer->cols + j] = d[i] * u[i * side + j];
}

/* weight [rows, cols] of a segmented layer. */
static optinc_status export_blocks(const oi_train_layer *layer, const float *param,
                                   double *orthogonality_max, double *weight)
{
    size_t side = layer->side;
    double *u = oi_allocate(side * side, sizeof *u), *d = oi_allocate(side, sizeof *d);
    double *w = oi_allocate(side * side, sizeof *w);
    optinc_status status = u && d && w ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    for (uint32_t block = 0; block < layer->block_count && !status; block++) {
        double deviation = 0.0;

        if (layer->on_group) {
            for (size_t i = 0; i < side * side; i++)
                u[i] = (double)param[layer->param_at + block * side * side + i];
            for (size_t i = 0; i < side; i++)
                d[i] = (double)param[layer->diagonal_at + block * side + i];
        } else {
            const float *from = param + layer->param_at + oi_segment_offset(layer, block);

            for (size_t i = 0; i < side * side; i++)
                w[i] = (double)from[i / side * layer->cols + i % side];
            status = oi_segment_nearest(layer->side, w, side, d, u);
        }
        if (!status)
            status = oi_segment_polish(layer->side, u, &deviation);
        if (deviation > *orthogonality_max)
            *orthogonality_max = deviation;
        if (!status)
            place_block(layer, block, d, u, weight);
    }
    oi_free(w);
    oi_free(d);
    oi_free(u);
    return status;
}

/* W := W f, b := b + W o, with the W before. */
static void fold_inputs(const oi_train_layer *layer, double *weight, double *bias)
{
    for (uint32_t i = 0; i < layer->rows; i++)
        for (uint32_t j = 0; j < layer->cols; j++) {
            double *w = &weight[(size_t)i * layer->cols + j];

            bias[i] += *w * INPUT_OFFSET;
            *w *= INPUT_FACTOR;
        }
}

static optinc_status export_layer(const oi_train_plan *plan, uint32_t index, const float *param,
                                  double *orthogonality_max, double *values, optinc_layer *out)
{
    const oi_train_layer *layer = &plan->layers[index];
    size_t area = (size_t)layer->rows * layer->cols;
    double *weight = values, *bias = values + area;
    optinc_status status = OPTINC_OK;

    *out = (optinc_layer){.rows = layer->rows,
                          .cols = layer->cols,
                          .activation = layer->activation,
                          .mapping = layer->side ? OPTINC_MAPPING_SEGMENTED : OPTINC_MAPPING_SVD,
                          .segment_side = layer->side,
                          .weight = weight,
                          .bias = bias};
    for (uint32_t i = 0; i < layer->rows; i++)
        bias[i] = (double)param[layer->bias_at + i];
    if (layer->side)
        status = export_blocks(layer, param, orthogonality_max, weight);
    for (size_t i = 0; i < area && !layer->side; i++)
        weight[i] = (double)param[layer->param_at + i];
    if (index == 0)
        fold_inputs(layer, weight, bias);
    return status;
}

optinc_status oi_train_export(const oi_train_plan *plan, const float *param, const optinc_log *log,
                              double *orthogonality_max, optinc_design **design)
{
    optinc_layer layers[OPTINC_TRAIN_LAYERS_MAX];
    optinc_input inputs[OPTINC_TRAIN_DIGITS_MAX];
    double *values = oi_allocate(plan->gradient_count, sizeof *values);
    optinc_unit unit = {.spec = plan->spec,
                        .method = OPTINC_METHOD_TRAINED,
                        .seed = plan->options.seed,
                        .input_count = plan->group_count,
                        .inputs = inputs,
                        .layer_count = plan->layer_count,
                        .layers = layers};
    optinc_status status = values ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    *orthogonality_max = 0.0;
    for (uint32_t i = 0; i < plan->group_count; i++)
        inputs[i] = (optinc_input){plan->groups[i].digit_first, plan->groups[i].digit_count,
                                   plan->groups[i].scale};
    for (uint32_t i = 0; i < plan->layer_count && !status; i++)
        status = export_layer(plan, i, param, orthogonality_max,
                              values + plan->layers[i].gradient_at, &layers[i]);
    if (!status)
        status = optinc_design_create(&unit, 1, log, design);
    else
        oi_log(log, OPTINC_LOG_ERROR, "the trained weights cannot be made a design: %s",
               optinc_status_text(status));
    oi_free(values);
    return status;
}
