/* SPDX-License-Identifier: Apache-2.0 */
/* W / sigma_1 = U diag(d) V*: mesh of V*, attenuators, mesh of U (Miller 2013). Modes: the meshes
 * share modes 0 .. max(rows, cols)-1; attenuator k has the dark mode max + k. */
#include <complex.h>
/* The struct and LAPACK's type have one layout. */
#define lapack_complex_float float _Complex
#define lapack_complex_double double _Complex
#include <lapacke.h>

#include "base/log.h"
#include "base/memory.h"
#include "optics/circuit.h"
#include "optics/mesh.h"

typedef struct factors {
    oi_complex *a; /* [rows, cols], is destroyed */
    oi_complex *u; /* [rows, rows] */
    oi_complex *v; /* [cols, cols], V* */
    double *s;     /* [min(rows, cols)] */
} factors;

static optinc_status decompose(const optinc_circuit *circuit, factors *f, const optinc_log *log)
{
    int rows = (int)circuit->rows, cols = (int)circuit->cols;
    int info =
        LAPACKE_zgesdd(LAPACK_ROW_MAJOR, 'A', rows, cols, (lapack_complex_double *)f->a, cols, f->s,
                       (lapack_complex_double *)f->u, rows, (lapack_complex_double *)f->v, cols);

    if (info < 0)
        return OPTINC_ERR_OUT_OF_MEMORY;
    if (info > 0)
        return oi_fail(log, OPTINC_ERR_NO_CONVERGENCE, "SVD of %d x %d did not converge", rows,
                       cols);
    return OPTINC_OK;
}

static optinc_status add_meshes(optinc_circuit *circuit, const factors *f,
                                const optinc_circuit_options *options, const optinc_log *log)
{
    uint32_t rows = circuit->rows, cols = circuit->cols;
    uint32_t larger = rows > cols ? rows : cols, smaller = rows > cols ? cols : rows;
    optinc_mesh *first = NULL, *second = NULL;
    optinc_status status = optinc_mesh_decompose(cols, (const double *)f->v, options->layout,
                                                 options->form, log, &first);

    if (!status)
        status = optinc_mesh_decompose(rows, (const double *)f->u, options->layout, options->form,
                                       log, &second);
    if (!status)
        status = oi_circuit_add_mesh(circuit, first, 0);
    /* An attenuator's shifter takes the first mesh's output phase as well. */
    for (uint32_t k = 0; k < smaller && !status; k++)
        status = oi_circuit_add_attenuator(
            circuit, k, larger + k, f->s[0] > 0 ? f->s[k] / f->s[0] : 0, first->output_rad[k]);
    if (!status)
        status = oi_circuit_add_mesh(circuit, second, 0);
    for (uint32_t r = 0; r < rows && !status; r++) {
        circuit->output_rad[r] = second->output_rad[r];
        circuit->gain[r] = f->s[0];
    }
    optinc_mesh_destroy(&first);
    optinc_mesh_destroy(&second);
    return status;
}

optinc_status oi_map_svd(optinc_circuit *circuit, const oi_complex *matrix,
                         const optinc_circuit_options *options, const optinc_log *log)
{
    size_t rows = circuit->rows, cols = circuit->cols;
    factors f = {
        .a = oi_duplicate(matrix, rows * cols, sizeof *f.a),
        .u = oi_allocate(rows * rows, sizeof *f.u),
        .v = oi_allocate(cols * cols, sizeof *f.v),
        .s = oi_allocate(rows < cols ? rows : cols, sizeof *f.s),
    };
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (f.a && f.u && f.v && f.s)
        status = decompose(circuit, &f, log);
    if (!status)
        status = add_meshes(circuit, &f, options, log);
    oi_free(f.a);
    oi_free(f.u);
    oi_free(f.v);
    oi_free(f.s);
    return status;
}
