/* SPDX-License-Identifier: Apache-2.0 */
#include "optics/mesh.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"

optinc_status oi_mesh_allocate(uint32_t side, size_t cell_count, optinc_cell_form form,
                               optinc_mesh **mesh)
{
    optinc_mesh *made = oi_allocate(1, sizeof *made);

    *mesh = made;
    if (!made)
        return OPTINC_ERR_OUT_OF_MEMORY;
    made->side = side;
    made->form = form;
    made->cell_count = cell_count;
    made->cells = oi_allocate(cell_count, sizeof *made->cells);
    made->input_rad = oi_allocate(side, sizeof(double));
    made->output_rad = oi_allocate(side, sizeof(double));
    if (!made->cells || !made->input_rad || !made->output_rad) {
        optinc_mesh_destroy(mesh);
        return OPTINC_ERR_OUT_OF_MEMORY;
    }
    return OPTINC_OK;
}

void optinc_mesh_destroy(optinc_mesh **mesh)
{
    if (!mesh || !*mesh)
        return;
    oi_free((*mesh)->cells);
    oi_free((*mesh)->input_rad);
    oi_free((*mesh)->output_rad);
    oi_free(*mesh);
    *mesh = NULL;
}

optinc_status oi_mesh_set_columns(optinc_mesh *mesh)
{
    uint32_t *next = oi_allocate(mesh->side, sizeof *next);

    if (!next)
        return OPTINC_ERR_OUT_OF_MEMORY;
    mesh->depth = 0;
    for (size_t i = 0; i < mesh->cell_count; i++) {
        optinc_cell *cell = &mesh->cells[i];
        uint32_t *at = &next[cell->mode];

        cell->column = at[0] > at[1] ? at[0] : at[1];
        at[0] = at[1] = cell->column + 1;
        if (at[0] > mesh->depth)
            mesh->depth = at[0];
    }
    oi_free(next);
    return OPTINC_OK;
}

static optinc_status check_cells(uint32_t side, const optinc_cell *cells, size_t cell_count,
                                 optinc_cell_form form, const optinc_log *log)
{
    for (size_t i = 0; i < cell_count; i++) {
        const optinc_cell *cell = &cells[i];

        if (side < 2 || cell->mode > side - 2)
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "cell %zu: mode %u, but the mesh has %u modes", i, cell->mode, side);
        if (!isfinite(cell->theta_rad) || !isfinite(cell->phi_rad) || !isfinite(cell->edge_rad))
            return oi_fail(log, OPTINC_ERR_NON_FINITE, "cell %zu: a phase is not finite", i);
        if (cell->edge_rad != 0 && form != OPTINC_CELL_SYMMETRIC)
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "cell %zu: an edge phase, which only symmetric cells have", i);
    }
    return OPTINC_OK;
}

optinc_status optinc_mesh_create(uint32_t side, const optinc_cell *cells, size_t cell_count,
                                 optinc_cell_form form, const double *input_rad,
                                 const double *output_rad, const optinc_log *log,
                                 optinc_mesh **mesh)
{
    optinc_status status;

    if (!mesh)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *mesh = NULL;
    if (side < 1 || side > OPTINC_MESH_SIDE_MAX || (cell_count && !cells) ||
        (unsigned)form > OPTINC_CELL_SYMMETRIC)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "mesh: side %u, form %d", side, (int)form);
    status = check_cells(side, cells, cell_count, form, log);
    for (uint32_t i = 0; i < side && !status; i++)
        if ((input_rad && !isfinite(input_rad[i])) || (output_rad && !isfinite(output_rad[i])))
            status = oi_fail(log, OPTINC_ERR_NON_FINITE, "mode %u: a phase is not finite", i);
    if (!status)
        status = oi_mesh_allocate(side, cell_count, form, mesh);
    if (status)
        return status;
    for (size_t i = 0; i < cell_count; i++) {
        (*mesh)->cells[i] = cells[i];
        (*mesh)->cells[i].theta_rad = oi_phase_wrap(cells[i].theta_rad);
        (*mesh)->cells[i].phi_rad = oi_phase_wrap(cells[i].phi_rad);
        (*mesh)->cells[i].edge_rad = oi_phase_wrap(cells[i].edge_rad);
    }
    for (uint32_t i = 0; i < side; i++) {
        (*mesh)->input_rad[i] = input_rad ? oi_phase_wrap(input_rad[i]) : 0;
        (*mesh)->output_rad[i] = output_rad ? oi_phase_wrap(output_rad[i]) : 0;
    }
    status = oi_mesh_set_columns(*mesh);
    if (status)
        optinc_mesh_destroy(mesh);
    return status;
}

/* Rows a and b of matrix [., side] become cell times them. */
static void apply_cell(const oi_matrix2 *cell, uint32_t side, oi_complex *a, oi_complex *b)
{
    for (uint32_t c = 0; c < side; c++) {
        oi_complex p = oi_complex_multiply(cell->m[0][0], a[c]);
        oi_complex q = oi_complex_multiply(cell->m[0][1], b[c]);
        oi_complex r = oi_complex_multiply(cell->m[1][0], a[c]);
        oi_complex s = oi_complex_multiply(cell->m[1][1], b[c]);

        a[c] = (oi_complex){p.re + q.re, p.im + q.im};
        b[c] = (oi_complex){r.re + s.re, r.im + s.im};
    }
}

void optinc_mesh_matrix(const optinc_mesh *mesh, double *matrix)
{
    uint32_t side = mesh->side;
    oi_complex *rows = (oi_complex *)matrix;

    memset(matrix, 0, (size_t)side * side * sizeof *rows);
    for (uint32_t i = 0; i < side; i++)
        rows[(size_t)i * side + i] = oi_complex_polar(mesh->input_rad[i]);
    for (size_t i = 0; i < mesh->cell_count; i++) {
        const optinc_cell *cell = &mesh->cells[i];
        oi_matrix2 m = oi_cell_matrix(mesh->form, cell->theta_rad, cell->phi_rad, cell->edge_rad);

        apply_cell(&m, side, &rows[(size_t)cell->mode * side],
                   &rows[((size_t)cell->mode + 1) * side]);
    }
    for (uint32_t i = 0; i < side; i++) {
        oi_complex phase = oi_complex_polar(mesh->output_rad[i]);

        for (uint32_t c = 0; c < side; c++)
            rows[(size_t)i * side + c] = oi_complex_multiply(rows[(size_t)i * side + c], phase);
    }
}

uint32_t optinc_mesh_side(const optinc_mesh *mesh)
{
    return mesh->side;
}

uint32_t optinc_mesh_depth(const optinc_mesh *mesh)
{
    return mesh->depth;
}

optinc_cell_form optinc_mesh_form(const optinc_mesh *mesh)
{
    return mesh->form;
}

size_t optinc_mesh_cell_count(const optinc_mesh *mesh)
{
    return mesh->cell_count;
}

const optinc_cell *optinc_mesh_cells(const optinc_mesh *mesh)
{
    return mesh->cells;
}

const double *optinc_mesh_input_rad(const optinc_mesh *mesh)
{
    return mesh->input_rad;
}

const double *optinc_mesh_output_rad(const optinc_mesh *mesh)
{
    return mesh->output_rad;
}
