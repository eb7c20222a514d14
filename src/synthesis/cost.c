/* SPDX-License-Identifier: Apache-2.0 */
/* What a design costs in MZIs and area, by the conventions of optinc/synthesis.h. */
#include "optinc/synthesis.h"

#include "base/log.h"
#include "base/memory.h"
#include "optinc/optics.h"

#include <string.h>

/* Lightening-Transformer's mesh MZI (devices/published-best.yaml has the source) */
#define MZI_LENGTH_UM 180.0
#define MZI_WIDTH_UM 100.0
#define UM2_PER_MM2 1e6

/* An orthogonal mesh of `side` modes. */
static uint64_t mesh_mzis(uint64_t side)
{
    return side * (side - 1) / 2;
}

/* Columns of a rectangular mesh (Clements et al. 2016): as many as modes, but one for two modes and
 * none for one. */
static uint64_t mesh_depth(uint64_t side)
{
    return side > 2 ? side : side - 1;
}

static bool has_bias(const optinc_layer *layer)
{
    for (uint32_t row = 0; row < layer->rows; row++)
        if (layer->bias[row] != 0)
            return true;
    return false;
}

static uint64_t svd_mzis(uint64_t rows, uint64_t cols, bool diagonal_min)
{
    uint64_t smaller = rows < cols ? rows : cols;
    uint64_t larger = rows < cols ? cols : rows;

    return mesh_mzis(rows) + mesh_mzis(cols) + (diagonal_min ? smaller : larger);
}

/* The trees of the circuit that would be built. */
static optinc_status direct_cost(const optinc_layer *layer, bool with_bias, optinc_layer_cost *cost)
{
    optinc_circuit_options options = {.mapping = OPTINC_MAPPING_DIRECT, .bias_last = with_bias};
    double *matrix = oi_allocate((size_t)cost->rows * cost->cols, sizeof *matrix);
    optinc_circuit *circuit = NULL;
    optinc_circuit_info info;
    optinc_status status;

    if (!matrix)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint32_t row = 0; row < layer->rows; row++) {
        double *out = matrix + (size_t)row * cost->cols;

        memcpy(out, layer->weight + (size_t)row * layer->cols, layer->cols * sizeof *out);
        if (with_bias)
            out[layer->cols] = layer->bias[row];
    }
    status = optinc_circuit_create(cost->rows, cost->cols, matrix, &options, NULL, &circuit);
    oi_free(matrix);
    if (status != OPTINC_OK)
        return status;
    info = optinc_circuit_describe(circuit);
    cost->mzis = info.mzi_count;
    cost->depth = info.path_mzis_max;
    optinc_circuit_destroy(&circuit);
    return OPTINC_OK;
}

optinc_status optinc_layer_cost_of(const optinc_layer *layer, const optinc_cost_options *options,
                                   optinc_layer_cost *cost)
{
    bool diagonal_min = options && options->diagonal_min;
    bool with_bias = !options || options->bias_port;
    uint64_t side, blocks;

    if (!layer || !cost || !layer->weight || !layer->bias || layer->rows == 0 || layer->cols == 0 ||
        layer->rows > OPTINC_LAYER_SIDE_MAX || layer->cols > OPTINC_LAYER_SIDE_MAX)
        return OPTINC_ERR_INVALID_ARGUMENT;
    with_bias = with_bias && layer->mapping != OPTINC_MAPPING_SEGMENTED && has_bias(layer);
    *cost = (optinc_layer_cost){
        .rows = layer->rows, .cols = layer->cols + with_bias, .mapping = layer->mapping};
    cost->mzis_svd = svd_mzis(cost->rows, cost->cols, diagonal_min);
    switch (layer->mapping) {
    case OPTINC_MAPPING_SVD:
        cost->mzis = cost->mzis_svd;
        cost->depth = mesh_depth(cost->rows) + 1 + mesh_depth(cost->cols);
        return OPTINC_OK;
    case OPTINC_MAPPING_SEGMENTED:
        side = layer->segment_side;
        if (side == 0)
            return OPTINC_ERR_INVALID_ARGUMENT;
        blocks = ((layer->rows + side - 1) / side) * ((layer->cols + side - 1) / side);
        cost->mzis = blocks * (mesh_mzis(side) + side);
        cost->depth = mesh_depth(side) + 1;
        return OPTINC_OK;
    case OPTINC_MAPPING_DIRECT:
        return direct_cost(layer, with_bias, cost);
    }
    return OPTINC_ERR_INVALID_ARGUMENT;
}

optinc_status optinc_unit_cost_of(const optinc_unit *unit, const optinc_cost_options *options,
                                  optinc_design_cost *cost)
{
    double length = options && options->mzi_length_um != 0 ? options->mzi_length_um : MZI_LENGTH_UM;
    double width = options && options->mzi_width_um != 0 ? options->mzi_width_um : MZI_WIDTH_UM;

    /* written so that NaN is refused too */
    if (!unit || !cost || !(length > 0) || !(width > 0))
        return OPTINC_ERR_INVALID_ARGUMENT;
    *cost = (optinc_design_cost){.mzis = 0};
    for (uint32_t i = 0; i < unit->layer_count; i++) {
        optinc_layer_cost layer;
        optinc_status status = optinc_layer_cost_of(&unit->layers[i], options, &layer);

        if (status != OPTINC_OK)
            return status;
        cost->mzis += layer.mzis; /* at most 2^8 layers of 2^28 */
        cost->mzis_svd += layer.mzis_svd;
        cost->depth += layer.depth;
    }
    cost->area_mm2 = (double)cost->mzis * length * width / UM2_PER_MM2;
    return OPTINC_OK;
}

optinc_status optinc_design_cost_of(const optinc_design *design, const optinc_cost_options *options,
                                    optinc_design_cost *cost)
{
    uint64_t unit_count = 1; /* of the level: the ports of all levels above it */

    if (!design || !cost)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *cost = (optinc_design_cost){.mzis = 0};
    for (uint32_t level = optinc_design_level_count(design); level-- > 0;) {
        const optinc_unit *unit = optinc_design_unit(design, level);
        optinc_design_cost one;
        optinc_status status = optinc_unit_cost_of(unit, options, &one);

        if (status != OPTINC_OK)
            return status;
        /* at most 2^20 units of 2^36 MZIs */
        cost->mzis += unit_count * one.mzis;
        cost->mzis_svd += unit_count * one.mzis_svd;
        cost->area_mm2 += (double)unit_count * one.area_mm2;
        cost->depth += one.depth;
        unit_count *= unit->spec.ports;
    }
    return OPTINC_OK;
}
