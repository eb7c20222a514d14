/* SPDX-License-Identifier: Apache-2.0 */
/* A unitary as a mesh: every 2x2 rotation brings one more entry below the diagonal to zero.
 * Rectangular: diagonals are cleared in turn by column and by row rotations (Clements et al. 2016,
 * section 3). Triangular: rows are cleared from the last one up, by column rotations (Reck et al.
 * 1994). What is left is a diagonal of phases. */
#include <cblas.h>
#include <omp.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "optics/mesh.h"

#define UNITARITY_TOLERANCE 1e-9 /* times the side */

/* T = [[e s, c], [e c, -s]], e a unit number: a cell but for a common phase. */
typedef struct rotation {
    double s;
    double c;
    oi_complex e;
} rotation;

static const rotation bar = {1, 0, {1, 0}};

/* T such that (x, y) T* has a zero first entry: x conj(e) s + y c = 0. */
static rotation clear_first(oi_complex x, oi_complex y, double tiny)
{
    double size_x = oi_complex_magnitude(x), size_y = oi_complex_magnitude(y);
    double size = hypot(size_x, size_y);
    oi_complex e;

    if (size_x <= tiny)
        return bar;
    if (size_y <= tiny)
        return (rotation){0, 1, {1, 0}};
    e = oi_complex_unit(oi_complex_divide_unit(x, y));
    return (rotation){size_y / size, size_x / size, {-e.re, -e.im}};
}

/* T such that T (x, y)' has a zero second entry: e c x - s y = 0. */
static rotation clear_second(oi_complex x, oi_complex y, double tiny)
{
    double size_x = oi_complex_magnitude(x), size_y = oi_complex_magnitude(y);
    double size = hypot(size_x, size_y);

    if (size_y <= tiny)
        return bar;
    if (size_x <= tiny)
        return (rotation){0, 1, {1, 0}};
    return (rotation){size_x / size, size_y / size, oi_complex_unit(oi_complex_divide_unit(y, x))};
}

/* The two entries of a row at x become those times T*. */
static inline void rotate_columns(const rotation *t, oi_complex *x)
{
    oi_complex turned = oi_complex_divide_unit(x[0], t->e), y = x[1];

    x[0] = (oi_complex){t->s * turned.re + t->c * y.re, t->s * turned.im + t->c * y.im};
    x[1] = (oi_complex){t->c * turned.re - t->s * y.re, t->c * turned.im - t->s * y.im};
}

/* Rows x and y [count] become T times them. */
static void rotate_rows(const rotation *t, oi_complex *restrict x, oi_complex *restrict y,
                        size_t count)
{
    const double s = t->s, c = t->c;
    const oi_complex e = t->e;

    for (size_t i = 0; i < count; i++) {
        oi_complex turned = oi_complex_multiply(x[i], e), other = y[i];

        x[i] = (oi_complex){s * turned.re + c * other.re, s * turned.im + c * other.im};
        y[i] = (oi_complex){c * turned.re - s * other.re, c * turned.im - s * other.im};
    }
}

static oi_raw_cell raw_cell(uint32_t mode, const rotation *t)
{
    oi_complex es = {t->e.re * t->s, t->e.im * t->s}, ec = {t->e.re * t->c, t->e.im * t->c};

    return (oi_raw_cell){mode, {{{es, {t->c, 0}}, {ec, {-t->s, 0}}}}};
}

/* T* of the same rotation. */
static oi_raw_cell raw_inverse(uint32_t mode, const rotation *t)
{
    oi_complex es = {t->e.re * t->s, -t->e.im * t->s}, ec = {t->e.re * t->c, -t->e.im * t->c};

    return (oi_raw_cell){mode, {{{es, ec}, {{t->c, 0}, {-t->s, 0}}}}};
}

typedef struct work {
    uint32_t side;
    oi_complex *u;    /* [side, side], is destroyed */
    rotation *turns;  /* [side]: the rotations of one sweep */
    oi_raw_cell *raw; /* [side (side - 1) / 2], in the order of light */
    double tiny;
} work;

/* One diagonal by column rotations: entries (side-1-j, i-j), j = 0 .. i. Row after row, so that all
 * rotations of the sweep pass over a row while it is in the cache: row side-1-j takes the first j
 * rotations, then settles rotation j (the later ones meet zeros there), and every row above the
 * diagonal takes them all. */
static void clear_by_columns(work *w, uint32_t i)
{
    uint32_t n = w->side;

    for (uint32_t r = n; r-- > 0;) {
        oi_complex *row = w->u + (size_t)r * n;
        uint32_t own = n - 1 - r;

        for (uint32_t j = 0; j < own && j <= i; j++)
            rotate_columns(&w->turns[j], row + (i - j));
        if (own <= i) {
            oi_complex *entry = row + (i - own);

            w->turns[own] = clear_first(entry[0], entry[1], w->tiny);
            rotate_columns(&w->turns[own], entry);
            entry[0] = (oi_complex){0, 0};
        }
    }
}

/* Rotations from the right end up at the input, in the order in which they were found; those from
 * the left, inverted, at the output in reverse order, so they fill the list from its end. */
static void clear_rectangular(work *w)
{
    uint32_t n = w->side;
    size_t front = 0, back = (size_t)n * (n - 1) / 2;

    for (uint32_t i = 0; i + 1 < n; i++) {
        if (i % 2 == 0) {
            clear_by_columns(w, i);
            for (uint32_t j = 0; j <= i; j++)
                w->raw[front++] = raw_cell(i - j, &w->turns[j]);
            continue;
        }
        for (uint32_t j = 0; j <= i; j++) {
            uint32_t r = n - 1 - i + j;
            oi_complex *upper = w->u + (size_t)(r - 1) * n + j, *lower = upper + n;
            rotation t = clear_second(upper[0], lower[0], w->tiny);

            rotate_rows(&t, upper, lower, n - j);
            lower[0] = (oi_complex){0, 0};
            w->raw[--back] = raw_inverse(r - 1, &t);
        }
    }
}

static void clear_triangular(work *w)
{
    uint32_t n = w->side;
    size_t front = 0;

    for (uint32_t last = n; last-- > 1;) {
        oi_complex *row = w->u + (size_t)last * n;

        for (uint32_t m = 0; m < last; m++) {
            w->turns[m] = clear_first(row[m], row[m + 1], w->tiny);
            rotate_columns(&w->turns[m], row + m);
            row[m] = (oi_complex){0, 0};
            w->raw[front++] = raw_cell(m, &w->turns[m]);
        }
        for (uint32_t r = 0; r < last; r++)
            for (uint32_t m = 0; m < last; m++)
                rotate_columns(&w->turns[m], w->u + (size_t)r * n + m);
    }
}

/* In the triangle all cells stand before the diagonal; in the rectangle it stands among them, and
 * is taken into the cell after it as that cell's input phases. */
static void place_diagonal(work *w, size_t front, oi_complex *output)
{
    uint32_t n = w->side;
    size_t count = (size_t)n * (n - 1) / 2;

    for (uint32_t i = 0; i < n; i++)
        output[i] = oi_complex_unit(w->u[(size_t)i * n + i]);
    for (size_t k = front; k < count; k++) {
        oi_raw_cell *cell = &w->raw[k];
        oi_complex *phase = &output[cell->mode];

        for (int r = 0; r < 2; r++)
            for (int c = 0; c < 2; c++)
                cell->matrix.m[r][c] = oi_complex_multiply(cell->matrix.m[r][c], phase[c]);
        phase[0] = phase[1] = (oi_complex){1, 0};
    }
}

static size_t front_count(uint32_t side, optinc_mesh_layout layout)
{
    size_t count = 0;

    if (layout == OPTINC_MESH_TRIANGULAR)
        return (size_t)side * (side - 1) / 2;
    for (uint32_t i = 0; i + 1 < side; i += 2)
        count += i + 1;
    return count;
}

/* max|U U* - 1|, blocks of it at a time: scratch [side, side] complex. */
static double unitarity_error(uint32_t side, const double *matrix, oi_complex *scratch)
{
    const double one[2] = {1, 0}, zero[2] = {0, 0};
    int n = (int)side;
    double worst = 0;

    cblas_zgemm(CblasRowMajor, CblasNoTrans, CblasConjTrans, n, n, n, one, matrix, n, matrix, n,
                zero, scratch, n);
    for (uint32_t r = 0; r < side; r++)
        for (uint32_t c = 0; c < side; c++) {
            oi_complex x = scratch[(size_t)r * side + c];

            x.re -= r == c ? 1.0 : 0.0;
            /* a NaN compares false with everything, and must come out */
            if (!(oi_complex_magnitude(x) <= worst))
                worst = oi_complex_magnitude(x);
        }
    return worst;
}

optinc_status optinc_unitarity_error(uint32_t side, const double *matrix, double *error)
{
    oi_complex *scratch;

    if (side < 1 || side > OPTINC_MESH_SIDE_MAX || !matrix || !error)
        return OPTINC_ERR_INVALID_ARGUMENT;
    scratch = oi_allocate((size_t)side * side, sizeof *scratch);
    if (!scratch)
        return OPTINC_ERR_OUT_OF_MEMORY;
    *error = unitarity_error(side, matrix, scratch);
    oi_free(scratch);
    return OPTINC_OK;
}

static optinc_status check_unitary(uint32_t side, const double *matrix, oi_complex *scratch,
                                   const optinc_log *log)
{
    size_t count = 2 * (size_t)side * side;
    double error;

    for (size_t i = 0; i < count; i++)
        if (!isfinite(matrix[i]))
            return oi_fail(log, OPTINC_ERR_NON_FINITE, "matrix entry (%zu, %zu) is not finite",
                           i / 2 / side, i / 2 % side);
    error = unitarity_error(side, matrix, scratch);
    if (!(error <= UNITARITY_TOLERANCE * side))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "matrix %u x %u is not unitary: max|U U* - 1| = %.3g, expected at most %.3g",
                       side, side, error, UNITARITY_TOLERANCE * side);
    return OPTINC_OK;
}

optinc_status optinc_mesh_decompose(uint32_t side, const double *matrix, optinc_mesh_layout layout,
                                    optinc_cell_form form, const optinc_log *log,
                                    optinc_mesh **mesh)
{
    work w = {.side = side};
    oi_complex *output = NULL;
    size_t cell_count;
    optinc_status status;

    if (!mesh)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *mesh = NULL;
    if (side < 1 || side > OPTINC_MESH_SIDE_MAX || !matrix ||
        (unsigned)layout > OPTINC_MESH_TRIANGULAR || (unsigned)form > OPTINC_CELL_SYMMETRIC)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "mesh: side %u (1 .. %u), layout %d, form %d", side, OPTINC_MESH_SIDE_MAX,
                       (int)layout, (int)form);
    cell_count = (size_t)side * (side - 1) / 2;
    /* Entries of this size are the rounding of what should be zero. */
    w.tiny = 4 * sqrt((double)side) * 2.220446049250313e-16;
    w.u = oi_allocate((size_t)side * side, sizeof *w.u);
    w.turns = oi_allocate(side, sizeof *w.turns);
    w.raw = oi_allocate(cell_count, sizeof *w.raw);
    output = oi_allocate(side, sizeof *output);
    status = w.u && w.turns && w.raw && output ? check_unitary(side, matrix, w.u, log)
                                               : OPTINC_ERR_OUT_OF_MEMORY;
    if (!status) {
        memcpy(w.u, matrix, (size_t)side * side * sizeof *w.u);
        if (layout == OPTINC_MESH_RECTANGULAR)
            clear_rectangular(&w);
        else
            clear_triangular(&w);
        place_diagonal(&w, front_count(side, layout), output);
        status = oi_mesh_from_raw(side, w.raw, cell_count, NULL, output, form, mesh);
    }
    oi_free(w.u);
    oi_free(w.turns);
    oi_free(w.raw);
    oi_free(output);
    return status;
}

optinc_status optinc_mesh_decompose_real(uint32_t side, const double *matrix,
                                         optinc_mesh_layout layout, optinc_cell_form form,
                                         const optinc_log *log, optinc_mesh **mesh)
{
    double *copy;
    optinc_status status;

    if (!mesh)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *mesh = NULL;
    if (side < 1 || side > OPTINC_MESH_SIDE_MAX || !matrix)
        return OPTINC_ERR_INVALID_ARGUMENT;
    copy = oi_allocate((size_t)side * side, 2 * sizeof *copy);
    if (!copy)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < (size_t)side * side; i++)
        copy[2 * i] = matrix[i];
    status = optinc_mesh_decompose(side, copy, layout, form, log, mesh);
    oi_free(copy);
    return status;
}

optinc_status optinc_mesh_decompose_batch(uint32_t side, size_t count, const double *matrices,
                                          optinc_mesh_layout layout, optinc_cell_form form,
                                          uint32_t thread_count, const optinc_log *log,
                                          optinc_mesh **meshes)
{
    optinc_status status = oi_threads_check(thread_count, log);

    if (count > PTRDIFF_MAX / sizeof(optinc_mesh *))
        return OPTINC_ERR_OVERFLOW;
    for (size_t i = 0; i < count && meshes; i++)
        meshes[i] = NULL;
    if (status)
        return status;
    if ((count && (!matrices || !meshes)) || side < 1 || side > OPTINC_MESH_SIDE_MAX)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (count > PTRDIFF_MAX / (2 * sizeof *matrices) / side / side)
        return OPTINC_ERR_OVERFLOW;
#pragma omp parallel for num_threads(thread_count ? (int)thread_count : omp_get_max_threads())     \
    schedule(dynamic)
    for (size_t i = 0; i < count; i++) {
        optinc_status one = optinc_mesh_decompose(side, matrices + 2 * i * side * side, layout,
                                                  form, log, &meshes[i]);

        if (one) {
#pragma omp critical(oi_decompose_batch)
            status = status ? status : one;
        }
    }
    for (size_t i = 0; i < count && status; i++)
        optinc_mesh_destroy(&meshes[i]);
    return status;
}
