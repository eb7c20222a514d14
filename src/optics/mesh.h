/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_OPTICS_MESH_H
#define OI_OPTICS_MESH_H

#include "optics/cell.h"

struct optinc_mesh {
    uint32_t side;
    uint32_t depth;
    optinc_cell_form form;
    size_t cell_count;
    optinc_cell *cells;
    double *input_rad;  /* [side] */
    double *output_rad; /* [side] */
};

/* An empty mesh: cells zeroed, phases 0. */
optinc_status oi_mesh_allocate(uint32_t side, size_t cell_count, optinc_cell_form form,
                               optinc_mesh **mesh);

/* Every cell's column: the earliest that its modes allow. Sets the depth. */
optinc_status oi_mesh_set_columns(optinc_mesh *mesh);

/* A cell for an input-phase form, given as any unitary 2x2 matrix. */
typedef struct oi_raw_cell {
    uint32_t mode;
    oi_matrix2 matrix;
} oi_raw_cell;

/* Makes the mesh diag(output) raw[count-1] ... raw[0] diag(input) in `form`. Phases that a cell of
 * that form cannot hold are carried on towards the output (the input for PHYSICAL_OUTPUT).
 * input, output [side] of unit numbers; NULL: 1. */
optinc_status oi_mesh_from_raw(uint32_t side, const oi_raw_cell *raw, size_t count,
                               const oi_complex *input, const oi_complex *output,
                               optinc_cell_form form, optinc_mesh **mesh);

/* The same cells in form SYMMETRIC, from a mesh of form PHYSICAL without input phases. */
void oi_mesh_symmetrise(optinc_mesh *mesh, uint32_t *scratch_cell, double *scratch_rad);

#endif
