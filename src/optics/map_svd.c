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
    oi_complex *u; /* [rows, rows] */
    oi_complex *v; /* [cols, cols], V* */
    double *s;     /* [min(rows, cols)] */
} factors;

/* OpenBLAS's zgemv (0.3.21, their issue 4013) reads, and does not use, what is one stride behind the
 * end of a vector. So LAPACK gets memory of ours, each piece with that much behind it, in place of
 * LAPACKE's own; its high-level call, which transposes into such, is not used. */
typedef struct workspace {
    lapack_int rows;
    lapack_int cols;
    lapack_complex_double *a; /* [rows, cols] by columns, as u and v; is destroyed */
    lapack_complex_double *u;
    lapack_complex_double *v;
    lapack_complex_double *work;
    double *real_work;
    lapack_int *integer_work;
} workspace;

static void *allocate_padded(const workspace *w, size_t count, size_t size)
{
    size_t larger = (size_t)(w->rows > w->cols ? w->rows : w->cols);

    return oi_allocate(count + larger * sizeof(lapack_complex_double) / size, size);
}

/* What zgesdd's manual asks of the integers and reals; *work is left to its own query. */
static bool allocate_workspace(workspace *w)
{
    size_t rows = (size_t)w->rows, cols = (size_t)w->cols;
    size_t larger = rows > cols ? rows : cols, smaller = rows > cols ? cols : rows;
    size_t one = 5 * smaller * smaller + 7 * smaller;
    size_t other = 2 * larger * smaller + 2 * smaller * smaller + smaller;

    w->a = allocate_padded(w, rows * cols, sizeof *w->a);
    w->u = allocate_padded(w, rows * rows, sizeof *w->u);
    w->v = allocate_padded(w, cols * cols, sizeof *w->v);
    w->real_work = allocate_padded(w, one > other ? one : other, sizeof *w->real_work);
    w->integer_work = allocate_padded(w, 8 * smaller, sizeof *w->integer_work);
    return w->a && w->u && w->v && w->real_work && w->integer_work;
}

static void free_workspace(workspace *w)
{
    oi_free(w->a);
    oi_free(w->u);
    oi_free(w->v);
    oi_free(w->work);
    oi_free(w->real_work);
    oi_free(w->integer_work);
}

static lapack_int call_lapack(workspace *w, double *s, lapack_complex_double *work, lapack_int size)
{
    return LAPACKE_zgesdd_work(LAPACK_COL_MAJOR, 'A', w->rows, w->cols, w->a, w->rows, s, w->u,
                               w->rows, w->v, w->cols, work, size, w->real_work, w->integer_work);
}

/* to [cols, rows] = from [rows, cols], transposed */
static void transpose(size_t rows, size_t cols, const lapack_complex_double *from,
                      lapack_complex_double *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            to[c * rows + r] = from[r * cols + c];
}

static optinc_status decompose(const oi_complex *matrix, workspace *w, factors *f,
                               const optinc_log *log)
{
    size_t rows = (size_t)w->rows, cols = (size_t)w->cols;
    lapack_complex_double wish;
    lapack_int info, size;

    if (!allocate_workspace(w))
        return OPTINC_ERR_OUT_OF_MEMORY;
    transpose(rows, cols, (const lapack_complex_double *)matrix, w->a);
    info = call_lapack(w, f->s, &wish, -1);
    if (info)
        return OPTINC_ERR_OUT_OF_MEMORY;
    size = (lapack_int)creal(wish);
    w->work = allocate_padded(w, (size_t)size, sizeof *w->work);
    if (!w->work)
        return OPTINC_ERR_OUT_OF_MEMORY;
    info = call_lapack(w, f->s, w->work, size);
    if (info)
        return oi_fail(log, OPTINC_ERR_NO_CONVERGENCE, "SVD of %zu x %zu did not converge", rows,
                       cols);
    transpose(rows, rows, w->u, (lapack_complex_double *)f->u);
    transpose(cols, cols, w->v, (lapack_complex_double *)f->v);
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
    workspace w = {.rows = (lapack_int)rows, .cols = (lapack_int)cols};
    factors f = {
        .u = oi_allocate(rows * rows, sizeof *f.u),
        .v = oi_allocate(cols * cols, sizeof *f.v),
        .s = oi_allocate(rows < cols ? rows : cols, sizeof *f.s),
    };
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (f.u && f.v && f.s)
        status = decompose(matrix, &w, &f, log);
    if (!status)
        status = add_meshes(circuit, &f, options, log);
    free_workspace(&w);
    oi_free(f.u);
    oi_free(f.v);
    oi_free(f.s);
    return status;
}
