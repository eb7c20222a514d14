/* SPDX-License-Identifier: Apache-2.0 */
/* Light: meshes of Mach-Zehnder interferometers (MZIs), circuits, devices, faults, and the backend
 * photonic (DESIGN.md sections 6 and 7; docs/optics.md).
 *
 * Complex matrices are interleaved doubles: entry (r, c) of a matrix [rows, cols] has its real part
 * at 2 (r cols + c) and its imaginary part right behind it. Matrices act on column vectors of mode
 * amplitudes, M[out, in]. Phases are in [0, 2 pi). */
#ifndef OPTINC_OPTICS_H
#define OPTINC_OPTICS_H

#include "optinc/switch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Meshes ---- */

typedef enum optinc_mesh_layout {
    OPTINC_MESH_RECTANGULAR = 0, /* Clements et al. 2016: depth `side` */
    OPTINC_MESH_TRIANGULAR = 1   /* Reck et al. 1994: depth 2 side - 3 */
} optinc_mesh_layout;

/* What theta and phi of a cell mean. s = sin(theta/2), c = cos(theta/2).
 *   PHYSICAL  i e^(i theta/2) [[e^(i phi) s, c], [e^(i phi) c, -s]]      phi at the input
 *   PHYSICAL_OUTPUT  i e^(i theta/2) [[e^(i phi) s, e^(i phi) c], [c, -s]]  phi at the output
 *   BLOCH     PHYSICAL without e^(i theta/2)
 *   CLEMENTS  [[e^(i phi) cos theta, -sin theta], [e^(i phi) sin theta, cos theta]]
 *   SYMMETRIC e^(i phi) [[sin theta, cos theta], [cos theta, -sin theta]] diag(e^(i edge), 1): both
 *             arms carry a shifter; `edge` is 0 but for cells at the border of the mesh
 * theta is in [0, pi] for the first three, [0, pi/2] for the others. At the bar state (no light
 * crosses) and the cross state (all does) theta is exact and phi is 0, but that a SYMMETRIC cell
 * carries its common phase there as well. */
typedef enum optinc_cell_form {
    OPTINC_CELL_PHYSICAL = 0,
    OPTINC_CELL_PHYSICAL_OUTPUT = 1,
    OPTINC_CELL_BLOCH = 2,
    OPTINC_CELL_CLEMENTS = 3,
    OPTINC_CELL_SYMMETRIC = 4
} optinc_cell_form;

/* An MZI on the modes `mode` and `mode` + 1. */
typedef struct optinc_cell {
    uint32_t mode;
    uint32_t column; /* 0 at the input; the earliest that the cells before it allow */
    double theta_rad;
    double phi_rad;
    double edge_rad; /* SYMMETRIC only; else 0 */
} optinc_cell;

#define OPTINC_MESH_SIDE_MAX 4096u

/* diag(e^(i output)) cell[count-1] ... cell[1] cell[0] diag(e^(i input)). */
typedef struct optinc_mesh optinc_mesh;

/* max|M M* - 1| over the entries, for a matrix [side, side]. */
OPTINC_API optinc_status optinc_unitarity_error(uint32_t side, const double *matrix,
                                                double *error) OPTINC_WARN_UNUSED;

/* The mesh of a unitary matrix [side, side]: side (side - 1) / 2 cells. A matrix further from
 * unitary than 1e-9 side is OPTINC_ERR_INVALID_ARGUMENT, and the log says how far; NaN or infinity
 * is OPTINC_ERR_NON_FINITE. side 1 .. OPTINC_MESH_SIDE_MAX. */
OPTINC_API optinc_status optinc_mesh_decompose(uint32_t side, const double *matrix,
                                               optinc_mesh_layout layout, optinc_cell_form form,
                                               const optinc_log *log,
                                               optinc_mesh **mesh) OPTINC_WARN_UNUSED;
/* The same for a real orthogonal matrix [side, side] of plain doubles. In form CLEMENTS all of its
 * phases phi, and the output's, are 0 or pi. */
OPTINC_API optinc_status optinc_mesh_decompose_real(uint32_t side, const double *matrix,
                                                    optinc_mesh_layout layout,
                                                    optinc_cell_form form, const optinc_log *log,
                                                    optinc_mesh **mesh) OPTINC_WARN_UNUSED;
/* `count` matrices [count, side, side] on thread_count OpenMP threads (0: OpenMP's default).
 * meshes [count] are all made, or, on an error, all NULL. The log may be called from any thread. */
OPTINC_API optinc_status optinc_mesh_decompose_batch(uint32_t side, size_t count,
                                                     const double *matrices,
                                                     optinc_mesh_layout layout,
                                                     optinc_cell_form form, uint32_t thread_count,
                                                     const optinc_log *log,
                                                     optinc_mesh **meshes) OPTINC_WARN_UNUSED;

/* A mesh from cells [cell_count] in the order in which light meets them; `column` is not read but
 * made anew. input_rad, output_rad [side], NULL: zero. Everything is copied; angles must be finite
 * and are brought to [0, 2 pi). */
OPTINC_API optinc_status optinc_mesh_create(uint32_t side, const optinc_cell *cells,
                                            size_t cell_count, optinc_cell_form form,
                                            const double *input_rad, const double *output_rad,
                                            const optinc_log *log,
                                            optinc_mesh **mesh) OPTINC_WARN_UNUSED;
/* Safe on NULL and twice; sets *mesh to NULL. */
OPTINC_API void optinc_mesh_destroy(optinc_mesh **mesh);

/* A new mesh of the same matrix in another form; `mesh` stays. */
OPTINC_API optinc_status optinc_mesh_convert(const optinc_mesh *mesh, optinc_cell_form form,
                                             optinc_mesh **converted) OPTINC_WARN_UNUSED;

/* matrix [side, side]: what the mesh does. */
OPTINC_API void optinc_mesh_matrix(const optinc_mesh *mesh, double *matrix);

OPTINC_API uint32_t optinc_mesh_side(const optinc_mesh *mesh);
OPTINC_API uint32_t optinc_mesh_depth(const optinc_mesh *mesh); /* columns */
OPTINC_API optinc_cell_form optinc_mesh_form(const optinc_mesh *mesh);
OPTINC_API size_t optinc_mesh_cell_count(const optinc_mesh *mesh);
/* Borrowed, live as long as the mesh: cells [cell_count], phases [side]. */
OPTINC_API const optinc_cell *optinc_mesh_cells(const optinc_mesh *mesh);
OPTINC_API const double *optinc_mesh_input_rad(const optinc_mesh *mesh);
OPTINC_API const double *optinc_mesh_output_rad(const optinc_mesh *mesh);

#ifdef __cplusplus
}
#endif
#endif
