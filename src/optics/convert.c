/* SPDX-License-Identifier: Apache-2.0 */
/* From one form of cells to another. A cell times a diagonal of phases is a diagonal times another
 * cell (Clements et al. 2016, section 3), so phases that a form cannot hold travel on through the
 * mesh until they leave it. */
#include "optics/mesh.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

/* Amplitudes below this are rounding error: the cell is in its bar or cross state. */
#define AMPLITUDE_TINY 4e-15

static void scale_columns(oi_matrix2 *matrix, oi_complex first, oi_complex second)
{
    for (int i = 0; i < 2; i++) {
        matrix->m[i][0] = oi_complex_multiply(matrix->m[i][0], first);
        matrix->m[i][1] = oi_complex_multiply(matrix->m[i][1], second);
    }
}

static oi_matrix2 transposed(const oi_matrix2 *matrix)
{
    oi_matrix2 result = *matrix;

    result.m[0][1] = matrix->m[1][0];
    result.m[1][0] = matrix->m[0][1];
    return result;
}

static void set_pending(oi_complex *pending, const oi_complex *source, uint32_t side)
{
    for (uint32_t i = 0; i < side; i++)
        pending[i] = source ? source[i] : (oi_complex){1, 0};
}

/* Light's way: pending phases stand between the cells done and those to do. */
static void sweep_forward(optinc_mesh *mesh, const oi_raw_cell *raw, optinc_cell_form form,
                          const oi_complex *output, oi_complex *pending)
{
    for (size_t i = 0; i < mesh->cell_count; i++) {
        uint32_t mode = raw[i].mode;
        optinc_cell *cell = &mesh->cells[i];
        oi_matrix2 matrix = raw[i].matrix;

        scale_columns(&matrix, pending[mode], pending[mode + 1]);
        cell->mode = mode;
        oi_cell_split(&matrix, form, AMPLITUDE_TINY, &cell->theta_rad, &cell->phi_rad,
                      &pending[mode]);
    }
    for (uint32_t i = 0; i < mesh->side; i++)
        mesh->output_rad[i] =
            oi_complex_phase(output ? oi_complex_multiply(pending[i], output[i]) : pending[i]);
}

/* Against the light. The output-phase cell's transpose is an input-phase cell: its matrix at phi = 0
 * is symmetric. */
static void sweep_backward(optinc_mesh *mesh, const oi_raw_cell *raw, const oi_complex *input,
                           oi_complex *pending)
{
    for (size_t i = mesh->cell_count; i-- > 0;) {
        uint32_t mode = raw[i].mode;
        optinc_cell *cell = &mesh->cells[i];
        oi_matrix2 matrix = transposed(&raw[i].matrix);

        scale_columns(&matrix, pending[mode], pending[mode + 1]);
        cell->mode = mode;
        oi_cell_split(&matrix, OPTINC_CELL_PHYSICAL, AMPLITUDE_TINY, &cell->theta_rad,
                      &cell->phi_rad, &pending[mode]);
    }
    for (uint32_t i = 0; i < mesh->side; i++)
        mesh->input_rad[i] =
            oi_complex_phase(input ? oi_complex_multiply(pending[i], input[i]) : pending[i]);
}

/* Cells linked by an offset of their common phases: union-find with potentials. */
static uint32_t find_root(uint32_t *parent, double *offset_rad, uint32_t cell)
{
    uint32_t root = cell;
    double sum = 0;

    while (parent[root] != root) {
        sum += offset_rad[root];
        root = parent[root];
    }
    while (parent[cell] != root && cell != root) {
        uint32_t above = parent[cell];
        double own = offset_rad[cell];

        parent[cell] = root;
        offset_rad[cell] = sum;
        sum -= own;
        cell = above;
    }
    return root;
}

static double potential(const uint32_t *parent, const double *offset_rad, uint32_t cell)
{
    return parent[cell] == cell ? 0.0 : offset_rad[cell];
}

/* From PHYSICAL, i e^(i theta/2) [[s, c], [c, -s]] diag(e^(i phi), 1), to SYMMETRIC.
 * A common phase t on both outputs of a cell, taken from both of its inputs, changes nothing. The
 * wire into input m of cell d carries e^(i w) with w = phi or 0; after the shifts it carries
 * w + t(cell before it), and both inputs of d must agree, up to d's own common phase:
 *     t(before upper) + phi = t(before lower)
 * Each such equation ties two cells, and can be met unless it closes a loop; what is left of it is
 * the cell's edge phase. This is the absorption of Bell and Walmsley 2021, section III, for any
 * arrangement of cells. scratch_cell [cell_count + side], scratch_rad [cell_count]. */
void oi_mesh_symmetrise(optinc_mesh *mesh, uint32_t *scratch_cell, double *scratch_rad)
{
    uint32_t *parent = scratch_cell;
    uint32_t *before = scratch_cell + mesh->cell_count;
    double *offset_rad = scratch_rad;

    memset(before, 0xFF, mesh->side * sizeof *before);
    for (uint32_t i = 0; i < (uint32_t)mesh->cell_count; i++)
        parent[i] = i;
    for (uint32_t i = 0; i < (uint32_t)mesh->cell_count; i++) {
        const optinc_cell *cell = &mesh->cells[i];
        uint32_t upper = before[cell->mode], lower = before[cell->mode + 1];

        if (upper != UINT32_MAX && lower != UINT32_MAX) {
            uint32_t upper_root = find_root(parent, offset_rad, upper);
            uint32_t lower_root = find_root(parent, offset_rad, lower);

            if (upper_root != lower_root) {
                /* t(x) = t(root) + offset(x): choose t(lower_root) - t(upper_root). */
                offset_rad[lower_root] = potential(parent, offset_rad, upper) + cell->phi_rad -
                                         potential(parent, offset_rad, lower);
                parent[lower_root] = upper_root;
            }
        }
        before[cell->mode] = before[cell->mode + 1] = i;
    }
    memset(before, 0xFF, mesh->side * sizeof *before);
    for (uint32_t i = 0; i < (uint32_t)mesh->cell_count; i++) {
        optinc_cell *cell = &mesh->cells[i];
        double in_rad[2], half_rad = 0.5 * cell->theta_rad, own_rad, edge_rad;

        for (int k = 0; k < 2; k++) {
            uint32_t source = before[cell->mode + (uint32_t)k];

            in_rad[k] = 0;
            if (source != UINT32_MAX) {
                find_root(parent, offset_rad, source);
                in_rad[k] = potential(parent, offset_rad, source);
            }
        }
        find_root(parent, offset_rad, i);
        own_rad = potential(parent, offset_rad, i);
        edge_rad = oi_phase_wrap(in_rad[0] + cell->phi_rad - in_rad[1]);
        /* A tied equation holds but for rounding. */
        cell->edge_rad = edge_rad < 1e-12 || edge_rad > OI_TWO_PI - 1e-12 ? 0.0 : edge_rad;
        cell->phi_rad = oi_phase_wrap(in_rad[1] + half_rad + 0.5 * OI_PI - own_rad);
        cell->theta_rad = half_rad;
        before[cell->mode] = before[cell->mode + 1] = i;
    }
    for (uint32_t i = 0; i < mesh->side; i++) {
        if (before[i] == UINT32_MAX)
            continue;
        find_root(parent, offset_rad, before[i]);
        mesh->output_rad[i] =
            oi_phase_wrap(mesh->output_rad[i] + potential(parent, offset_rad, before[i]));
    }
    mesh->form = OPTINC_CELL_SYMMETRIC;
}

optinc_status oi_mesh_from_raw(uint32_t side, const oi_raw_cell *raw, size_t count,
                               const oi_complex *input, const oi_complex *output,
                               optinc_cell_form form, optinc_mesh **mesh)
{
    bool symmetric = form == OPTINC_CELL_SYMMETRIC;
    oi_complex *pending = oi_allocate(side, sizeof *pending);
    uint32_t *scratch_cell = oi_allocate(count + side, sizeof *scratch_cell);
    double *scratch_rad = oi_allocate(count, sizeof *scratch_rad);
    optinc_status status = oi_mesh_allocate(side, count, form, mesh);

    assert(count < UINT32_MAX);
    if (!pending || !scratch_cell || !scratch_rad)
        status = OPTINC_ERR_OUT_OF_MEMORY;
    if (!status) {
        set_pending(pending, form == OPTINC_CELL_PHYSICAL_OUTPUT ? output : input, side);
        if (form == OPTINC_CELL_PHYSICAL_OUTPUT)
            sweep_backward(*mesh, raw, input, pending);
        else
            sweep_forward(*mesh, raw, symmetric ? OPTINC_CELL_PHYSICAL : form, output, pending);
        if (symmetric)
            oi_mesh_symmetrise(*mesh, scratch_cell, scratch_rad);
        status = oi_mesh_set_columns(*mesh);
    }
    oi_free(pending);
    oi_free(scratch_cell);
    oi_free(scratch_rad);
    if (status)
        optinc_mesh_destroy(mesh);
    return status;
}

optinc_status optinc_mesh_convert(const optinc_mesh *mesh, optinc_cell_form form,
                                  optinc_mesh **converted)
{
    oi_raw_cell *raw;
    oi_complex *edge;
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;
    uint32_t side;

    if (!converted)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *converted = NULL;
    if (!mesh || (unsigned)form > OPTINC_CELL_SYMMETRIC)
        return OPTINC_ERR_INVALID_ARGUMENT;
    side = mesh->side;
    raw = oi_allocate(mesh->cell_count, sizeof *raw);
    edge = oi_allocate(2 * (size_t)side, sizeof *edge);
    if (raw && edge) {
        for (size_t i = 0; i < mesh->cell_count; i++) {
            const optinc_cell *cell = &mesh->cells[i];

            raw[i].mode = cell->mode;
            raw[i].matrix =
                oi_cell_matrix(mesh->form, cell->theta_rad, cell->phi_rad, cell->edge_rad);
        }
        for (uint32_t i = 0; i < side; i++) {
            edge[i] = oi_complex_polar(mesh->input_rad[i]);
            edge[side + i] = oi_complex_polar(mesh->output_rad[i]);
        }
        status = oi_mesh_from_raw(side, raw, mesh->cell_count, edge, edge + side, form, converted);
    }
    oi_free(raw);
    oi_free(edge);
    return status;
}
