/* SPDX-License-Identifier: Apache-2.0 */
/* W in square blocks diag(d) U, U orthogonal (OptINC, section on approximation): a mesh and a column
 * of attenuators a block. Splitters give every input to the R block rows, others add up the C block
 * columns, so amplitudes fall by sqrt(R C), which the gains restore. Modes: block (r, c) has side
 * modes from (r C + c) side, its dark modes follow all of these. */
#include <assert.h>

#include "base/log.h"
#include "base/memory.h"
#include "optics/circuit.h"
#include "optics/mesh.h"

#define ORTHOGONAL_TOLERANCE 1e-6 /* designs may hold weights of single precision */

typedef struct grid {
    uint32_t side;
    uint32_t block_rows;
    uint32_t block_cols;
    optinc_circuit *circuit;
    double *d;     /* [block_rows, block_cols, side] */
    double *block; /* [side, side], scratch */
} grid;

static uint32_t block_mode(const grid *g, uint32_t r, uint32_t c)
{
    return (r * g->block_cols + c) * g->side;
}

static double dot(const double *a, const double *b, uint32_t count)
{
    double sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Row r of the block becomes the direction that is the furthest from the rows in `known`, made
 * orthogonal to them. */
static void complete_row(double *block, uint32_t side, uint32_t r, const bool *known)
{
    double best = -1, *row = block + (size_t)r * side;
    uint32_t axis = 0;

    for (uint32_t i = 0; i < side; i++) {
        double left = 1;

        for (uint32_t k = 0; k < side; k++)
            if (known[k])
                left -= block[(size_t)k * side + i] * block[(size_t)k * side + i];
        if (left > best) {
            best = left;
            axis = i;
        }
    }
    for (uint32_t i = 0; i < side; i++)
        row[i] = i == axis;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t k = 0; k < side; k++)
            if (known[k]) {
                const double *other = block + (size_t)k * side;
                double share = dot(other, row, side);

                for (uint32_t i = 0; i < side; i++)
                    row[i] -= share * other[i];
            }
    best = sqrt(dot(row, row, side));
    for (uint32_t i = 0; i < side; i++)
        row[i] /= best;
}

/* block = diag(d) U in place: rows of U. Gram-Schmidt removes what rounding left of the rows'
 * products; what it finds beyond the tolerance is an error. */
static optinc_status factor_block(double *block, uint32_t side, double *d, bool *known,
                                  double *worst)
{
    for (uint32_t r = 0; r < side; r++)
        known[r] = false;
    for (uint32_t r = 0; r < side; r++) {
        double *row = block + (size_t)r * side, rest;

        d[r] = sqrt(dot(row, row, side));
        if (!(d[r] > 1e-150))
            continue;
        for (uint32_t i = 0; i < side; i++)
            row[i] /= d[r];
        for (uint32_t k = 0; k < r; k++)
            if (known[k]) {
                const double *other = block + (size_t)k * side;
                double share = dot(other, row, side);

                if (fabs(share) > *worst)
                    *worst = fabs(share);
                for (uint32_t i = 0; i < side; i++)
                    row[i] -= share * other[i];
            }
        rest = sqrt(dot(row, row, side));
        if (*worst > ORTHOGONAL_TOLERANCE)
            return OPTINC_ERR_INVALID_ARGUMENT;
        for (uint32_t i = 0; i < side; i++)
            row[i] /= rest;
        known[r] = true;
    }
    for (uint32_t r = 0; r < side; r++)
        if (!known[r]) {
            d[r] = 0;
            complete_row(block, side, r, known);
            known[r] = true;
        }
    return OPTINC_OK;
}

static optinc_status add_block(grid *g, uint32_t r, uint32_t c, const double *matrix, bool *known,
                               const optinc_circuit_options *options, const optinc_log *log)
{
    uint32_t side = g->side, cols = g->circuit->cols;
    double *d = g->d + (size_t)(r * g->block_cols + c) * side, worst = 0;
    optinc_mesh *mesh = NULL;
    optinc_status status;

    for (uint32_t i = 0; i < side; i++)
        for (uint32_t j = 0; j < side; j++)
            g->block[(size_t)i * side + j] = matrix[(size_t)(r * side + i) * cols + c * side + j];
    status = factor_block(g->block, side, d, known, &worst);
    if (status)
        return oi_fail(log, status,
                       "block (%u, %u) of side %u is not a diagonal times an orthogonal matrix: "
                       "rows overlap by %.3g, at most %.3g expected",
                       r, c, side, worst, ORTHOGONAL_TOLERANCE);
    status = optinc_mesh_decompose_real(side, g->block, options->layout, options->form, log, &mesh);
    if (!status)
        status = oi_circuit_add_mesh(g->circuit, mesh, block_mode(g, r, c));
    for (uint32_t i = 0; i < side && !status; i++) {
        /* the attenuators' factors follow when every block's d is known */
        optinc_element attenuator = {.mode_a = block_mode(g, r, c) + i,
                                     .in_rad = mesh->output_rad[i]};

        attenuator.mode_b = g->block_rows * g->block_cols * side + attenuator.mode_a;
        status = oi_circuit_add(g->circuit, &attenuator);
    }
    optinc_mesh_destroy(&mesh);
    return status;
}

/* A tree of splitters on `count` modes, `step` apart: forward, equal shares of the first mode's
 * light to all; backward, their sum / sqrt(count) on the first. */
static optinc_status add_tree(optinc_circuit *circuit, uint32_t mode, uint32_t step, uint32_t count,
                              bool backward)
{
    uint32_t half = (count + 1) / 2;
    optinc_status status = OPTINC_OK;
    optinc_element split = {.splitter = true, .mode_a = mode, .mode_b = mode + half * step};

    if (count < 2)
        return OPTINC_OK;
    split.angle_rad = asin(sqrt((double)(count - half) / count));
    if (backward)
        split.angle_rad = -split.angle_rad;
    else
        status = oi_circuit_add(circuit, &split);
    if (!status)
        status = add_tree(circuit, mode, step, half, backward);
    if (!status)
        status = add_tree(circuit, split.mode_b, step, count - half, backward);
    if (!status && backward)
        status = oi_circuit_add(circuit, &split);
    return status;
}

/* Row by row, the largest d of its blocks sets the gain, and the others are attenuated to match. */
static void set_attenuators(grid *g)
{
    optinc_circuit *circuit = g->circuit;
    uint32_t side = g->side, blocks = g->block_rows * g->block_cols, dark = blocks * side;

    assert(g->block_cols > 0);
    for (uint32_t row = 0; row < circuit->rows; row++) {
        double largest = 0;

        for (uint32_t c = 0; c < g->block_cols; c++)
            largest = fmax(largest, g->d[(row / side * g->block_cols + c) * side + row % side]);
        circuit->gain[row] = largest * sqrt((double)blocks);
        circuit->output_mode[row] = block_mode(g, row / side, 0) + row % side;
    }
    for (size_t k = 0; k < circuit->element_count; k++) {
        optinc_element *e = &circuit->elements[k];
        uint32_t mode = e->mode_a, block = mode / side, row;
        double largest, factor;

        if (e->splitter || e->mode_b < dark)
            continue;
        row = block / g->block_cols * side + mode % side;
        largest = circuit->gain[row] / sqrt((double)blocks);
        factor = largest > 0 ? g->d[(size_t)block * side + mode % side] / largest : 0;
        e->arm_a_rad = 2 * asin(fmin(factor, 1));
        e->in_rad = oi_phase_wrap(e->in_rad - 0.5 * e->arm_a_rad - 0.5 * OI_PI);
    }
}

static optinc_status build(grid *g, const double *matrix, const optinc_circuit_options *options,
                           const optinc_log *log)
{
    optinc_circuit *circuit = g->circuit;
    uint32_t side = g->side;
    bool *known = oi_allocate(side, sizeof *known);
    optinc_status status = known ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    for (uint32_t j = 0; j < circuit->cols && !status; j++) {
        circuit->input_mode[j] = block_mode(g, 0, j / side) + j % side;
        status =
            add_tree(circuit, circuit->input_mode[j], g->block_cols * side, g->block_rows, false);
    }
    for (uint32_t r = 0; r < g->block_rows && !status; r++)
        for (uint32_t c = 0; c < g->block_cols && !status; c++)
            status = add_block(g, r, c, matrix, known, options, log);
    if (!status)
        set_attenuators(g);
    for (uint32_t i = 0; i < circuit->rows && !status; i++)
        status = add_tree(circuit, circuit->output_mode[i], side, g->block_cols, true);
    oi_free(known);
    return status;
}

optinc_status oi_map_segmented(uint32_t rows, uint32_t cols, const double *matrix,
                               const optinc_circuit_options *options, const optinc_log *log,
                               optinc_circuit **circuit)
{
    grid g = {.side = options->segment_side};
    optinc_status status;

    if (g.side < 1 || rows % g.side || cols % g.side)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "segments of side %u do not divide a %u x %u matrix", g.side, rows, cols);
    g.block_rows = rows / g.side;
    g.block_cols = cols / g.side;
    status = oi_circuit_allocate(rows, cols, 2 * g.block_rows * cols, circuit);
    if (status)
        return status;
    g.circuit = *circuit;
    g.d = oi_allocate((size_t)g.block_rows * cols, sizeof *g.d);
    g.block = oi_allocate((size_t)g.side * g.side, sizeof *g.block);
    status = g.d && g.block ? build(&g, matrix, options, log) : OPTINC_ERR_OUT_OF_MEMORY;
    oi_free(g.d);
    oi_free(g.block);
    return status;
}
