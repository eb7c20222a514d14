/* SPDX-License-Identifier: Apache-2.0 */
/* Meshes give back the matrix that they were made from, in every layout and form. Precondition: the
 * matrix is unitary. Identity: product of the cells' matrices = matrix, |difference| <= 1e-12 side;
 * the product is written out here from the formulas of optinc/optics.h, not from the library. */
#include <complex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "optinc/optics.h"
#include "unitary.h"

#define TWO_PI 6.28318530717958647693

static const uint32_t sides[] = {1, 2, 4, 7, 8, 20, 64};

static void cell_formula(optinc_cell_form form, const optinc_cell *cell, double complex m[2][2])
{
    double t = cell->theta_rad, s = sin(t / 2), c = cos(t / 2);
    double complex p = cexp(I * cell->phi_rad);
    double complex front = form == OPTINC_CELL_BLOCH ? I : I * cexp(I * t / 2);

    switch (form) {
    default:
        m[0][0] = front * p * s, m[0][1] = front * c;
        m[1][0] = front * p * c, m[1][1] = -front * s;
        break;
    case OPTINC_CELL_PHYSICAL_OUTPUT:
        m[0][0] = front * p * s, m[0][1] = front * p * c;
        m[1][0] = front * c, m[1][1] = -front * s;
        break;
    case OPTINC_CELL_CLEMENTS:
        m[0][0] = p * cos(t), m[0][1] = -sin(t);
        m[1][0] = p * sin(t), m[1][1] = cos(t);
        break;
    case OPTINC_CELL_SYMMETRIC:
        m[0][0] = p * sin(t) * cexp(I * cell->edge_rad), m[0][1] = p * cos(t);
        m[1][0] = p * cos(t) * cexp(I * cell->edge_rad), m[1][1] = -p * sin(t);
        break;
    }
}

static double *product(const optinc_mesh *mesh)
{
    uint32_t n = optinc_mesh_side(mesh);
    double *result = matrix_identity(n);
    double complex *u = (double complex *)result;
    const optinc_cell *cells = optinc_mesh_cells(mesh);

    for (uint32_t i = 0; i < n; i++)
        u[i * n + i] = cexp(I * optinc_mesh_input_rad(mesh)[i]);
    for (size_t k = 0; k < optinc_mesh_cell_count(mesh); k++) {
        double complex m[2][2];
        double complex *a = u + (size_t)cells[k].mode * n, *b = a + n;

        cell_formula(optinc_mesh_form(mesh), &cells[k], m);
        for (uint32_t i = 0; i < n; i++) {
            double complex x = a[i], y = b[i];

            a[i] = m[0][0] * x + m[0][1] * y;
            b[i] = m[1][0] * x + m[1][1] * y;
        }
    }
    for (uint32_t r = 0; r < n; r++)
        for (uint32_t c = 0; c < n; c++)
            u[r * n + c] *= cexp(I * optinc_mesh_output_rad(mesh)[r]);
    return result;
}

static void assert_phase(double phase)
{
    if (!(phase >= 0 && phase < TWO_PI))
        fail_msg("phase %.17g outside [0, 2 pi)", phase);
}

static void assert_mesh(const optinc_mesh *mesh, const double *matrix, optinc_mesh_layout layout,
                        optinc_cell_form form)
{
    uint32_t n = optinc_mesh_side(mesh);
    double *own = product(mesh), *theirs = matrix_zero(n), unitarity;
    double tolerance = 1e-12 * n;
    double theta_max =
        form == OPTINC_CELL_CLEMENTS || form == OPTINC_CELL_SYMMETRIC ? TWO_PI / 4 : TWO_PI / 2;

    for (size_t i = 0; i < 2 * (size_t)n * n; i++)
        theirs[i] = NAN;
    optinc_mesh_matrix(mesh, theirs);
    if (!(matrix_difference(own, matrix, (size_t)n * n) <= tolerance))
        fail_msg("side %u layout %d form %d: off by %g", n, (int)layout, (int)form,
                 matrix_difference(own, matrix, (size_t)n * n));
    assert_true(matrix_difference(own, theirs, (size_t)n * n) <= tolerance);
    assert_int_equal(optinc_unitarity_error(n, theirs, &unitarity), OPTINC_OK);
    assert_true(unitarity <= tolerance);
    assert_int_equal(optinc_mesh_cell_count(mesh), (size_t)n * (n - 1) / 2);
    if (n > 2)
        assert_int_equal(optinc_mesh_depth(mesh), layout ? 2 * n - 3 : n);
    for (size_t i = 0; i < optinc_mesh_cell_count(mesh); i++) {
        const optinc_cell *cell = optinc_mesh_cells(mesh) + i;

        assert_phase(cell->theta_rad);
        assert_phase(cell->phi_rad);
        assert_phase(cell->edge_rad);
        assert_true(cell->theta_rad <= theta_max);
        assert_true(form == OPTINC_CELL_SYMMETRIC || cell->edge_rad == 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        assert_phase(optinc_mesh_input_rad(mesh)[i]);
        assert_phase(optinc_mesh_output_rad(mesh)[i]);
    }
    free(own);
    free(theirs);
}

static void check_matrix(uint32_t n, double *matrix)
{
    for (int layout = 0; layout <= OPTINC_MESH_TRIANGULAR; layout++)
        for (int form = 0; form <= OPTINC_CELL_SYMMETRIC; form++) {
            optinc_mesh *mesh = NULL;

            assert_int_equal(optinc_mesh_decompose(n, matrix, (optinc_mesh_layout)layout,
                                                   (optinc_cell_form)form, NULL, &mesh),
                             OPTINC_OK);
            assert_mesh(mesh, matrix, (optinc_mesh_layout)layout, (optinc_cell_form)form);
            for (int to = 0; to <= OPTINC_CELL_SYMMETRIC && n <= 20; to++) {
                optinc_mesh *other = NULL;

                assert_int_equal(optinc_mesh_convert(mesh, (optinc_cell_form)to, &other),
                                 OPTINC_OK);
                assert_mesh(other, matrix, (optinc_mesh_layout)layout, (optinc_cell_form)to);
                optinc_mesh_destroy(&other);
            }
            optinc_mesh_destroy(&mesh);
            optinc_mesh_destroy(&mesh);
        }
    free(matrix);
}

static void test_reconstruction(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        check_matrix(sides[i], matrix_identity(sides[i]));
        check_matrix(sides[i], matrix_anti_identity(sides[i]));
        check_matrix(sides[i], matrix_permutation(sides[i]));
        check_matrix(sides[i], matrix_dft(sides[i]));
        check_matrix(sides[i], matrix_haar(sides[i], 1, 1));
        check_matrix(sides[i], matrix_haar(sides[i], 2, 0));
    }
}

static bool near(double x, double y)
{
    return fabs(x - y) <= 1e-9;
}

/* Permutations need bar and cross states alone, and orthogonal matrices only the phases 0 and pi. */
static void test_defined_states(void **state)
{
    double *matrices[] = {matrix_identity(7), matrix_anti_identity(7), matrix_permutation(7)};
    double *orthogonal = matrix_haar(8, 3, 0);
    double plain[64];
    optinc_mesh *mesh = NULL;

    (void)state;
    for (int k = 0; k < 3; k++) {
        assert_int_equal(optinc_mesh_decompose(7, matrices[k], OPTINC_MESH_RECTANGULAR,
                                               OPTINC_CELL_PHYSICAL, NULL, &mesh),
                         OPTINC_OK);
        for (size_t i = 0; i < optinc_mesh_cell_count(mesh); i++) {
            const optinc_cell *cell = optinc_mesh_cells(mesh) + i;

            assert_true(cell->theta_rad == 0 || cell->theta_rad == TWO_PI / 2);
            assert_true(cell->phi_rad == 0);
        }
        optinc_mesh_destroy(&mesh);
        free(matrices[k]);
    }
    for (int i = 0; i < 64; i++)
        plain[i] = orthogonal[2 * i];
    assert_int_equal(optinc_mesh_decompose_real(8, plain, OPTINC_MESH_RECTANGULAR,
                                                OPTINC_CELL_CLEMENTS, NULL, &mesh),
                     OPTINC_OK);
    assert_mesh(mesh, orthogonal, OPTINC_MESH_RECTANGULAR, OPTINC_CELL_CLEMENTS);
    for (size_t i = 0; i < optinc_mesh_cell_count(mesh); i++) {
        double phi = optinc_mesh_cells(mesh)[i].phi_rad;

        assert_true(near(phi, 0) || near(phi, TWO_PI / 2) || near(phi, TWO_PI));
    }
    optinc_mesh_destroy(&mesh);
    free(orthogonal);
}

/* Bell and Walmsley: a symmetric mesh has side^2 free phases, so that at most about one cell a
 * column of the rectangle's border keeps an edge phase. */
static void test_symmetric_edges(void **state)
{
    double *matrix = matrix_haar(20, 4, 1);
    optinc_mesh *mesh = NULL;
    size_t edges = 0;

    (void)state;
    assert_int_equal(optinc_mesh_decompose(20, matrix, OPTINC_MESH_RECTANGULAR,
                                           OPTINC_CELL_SYMMETRIC, NULL, &mesh),
                     OPTINC_OK);
    for (size_t i = 0; i < optinc_mesh_cell_count(mesh); i++)
        edges += optinc_mesh_cells(mesh)[i].edge_rad != 0;
    assert_true(edges <= 20);
    optinc_mesh_destroy(&mesh);
    free(matrix);
}

static void note_message(void *user, optinc_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 512, "%s", message);
}

static void test_bad_input(void **state)
{
    char message[512] = "";
    const optinc_log log = {note_message, message};
    double *matrix = matrix_haar(4, 5, 1);
    optinc_mesh *mesh = (optinc_mesh *)1;
    optinc_cell cell = {.mode = 3};

    (void)state;
    matrix[0] += 0.25;
    assert_int_equal(optinc_mesh_decompose(4, matrix, OPTINC_MESH_RECTANGULAR, OPTINC_CELL_PHYSICAL,
                                           &log, &mesh),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_null(mesh);
    assert_non_null(strstr(message, "not unitary: max|U U* - 1| = "));
    matrix[5] = NAN;
    assert_int_equal(optinc_mesh_decompose(4, matrix, OPTINC_MESH_RECTANGULAR, OPTINC_CELL_PHYSICAL,
                                           &log, &mesh),
                     OPTINC_ERR_NON_FINITE);
    assert_non_null(strstr(message, "(0, 2)"));
    assert_int_equal(optinc_mesh_decompose(0, matrix, OPTINC_MESH_RECTANGULAR, OPTINC_CELL_PHYSICAL,
                                           &log, &mesh),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_int_equal(optinc_mesh_create(4, &cell, 1, OPTINC_CELL_PHYSICAL, NULL, NULL, &log, &mesh),
                     OPTINC_ERR_INVALID_ARGUMENT);
    cell.mode = 0;
    cell.theta_rad = INFINITY;
    assert_int_equal(optinc_mesh_create(4, &cell, 1, OPTINC_CELL_PHYSICAL, NULL, NULL, &log, &mesh),
                     OPTINC_ERR_NON_FINITE);
    cell = (optinc_cell){.edge_rad = 0.5};
    assert_int_equal(optinc_mesh_create(4, &cell, 1, OPTINC_CELL_PHYSICAL, NULL, NULL, &log, &mesh),
                     OPTINC_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "cell 0: an edge phase, which only symmetric cells have"));
    assert_int_equal(optinc_mesh_create(4, NULL, 1, OPTINC_CELL_PHYSICAL, NULL, NULL, &log, &mesh),
                     OPTINC_ERR_INVALID_ARGUMENT);
    matrix[0] = 1;
    matrix[1] = INFINITY;
    assert_int_equal(
        optinc_mesh_create(2, NULL, 0, OPTINC_CELL_PHYSICAL, NULL, matrix, &log, &mesh),
        OPTINC_ERR_NON_FINITE);
    assert_non_null(strstr(message, "mode 1: a phase is not finite"));
    assert_null(mesh);
    free(matrix);
}

/* A mesh made of cells is their product: phases are taken modulo 2 pi, inputs and outputs turn. */
static void test_create(void **state)
{
    const optinc_cell cell = {.theta_rad = 0.7 - TWO_PI, .phi_rad = 0.3 + 2 * TWO_PI};
    const optinc_cell wrapped = {.theta_rad = 0.7, .phi_rad = 0.3};
    const double turn[2] = {TWO_PI / 2, 0}, back[2] = {0, -TWO_PI / 2};
    double plain[8], turned[8];
    optinc_mesh *mesh = NULL;

    (void)state;
    memset(plain, 0xA5, sizeof plain);
    memset(turned, 0xA5, sizeof turned);
    assert_int_equal(
        optinc_mesh_create(2, &wrapped, 1, OPTINC_CELL_PHYSICAL, NULL, NULL, NULL, &mesh),
        OPTINC_OK);
    optinc_mesh_matrix(mesh, plain);
    optinc_mesh_destroy(&mesh);
    assert_int_equal(optinc_mesh_create(2, &cell, 1, OPTINC_CELL_PHYSICAL, turn, back, NULL, &mesh),
                     OPTINC_OK);
    optinc_mesh_matrix(mesh, turned);
    optinc_mesh_destroy(&mesh);
    /* entry (r, c) turned by input c and output r: only (0, 0) and (1, 1) change their signs */
    for (int i = 0; i < 8; i++)
        assert_true(fabs(turned[i] - (i / 2 == 0 || i / 2 == 3 ? -plain[i] : plain[i])) <= 1e-14);
}

/* A batch is its matrices one by one, on any number of threads; one bad matrix leaves nothing. */
static void test_batch(void **state)
{
    enum { COUNT = 9, SIDE = 8, SIZE = 2 * SIDE * SIDE };
    double *all = calloc((size_t)COUNT * SIZE, sizeof *all);
    optinc_mesh *meshes[COUNT];

    (void)state;
    for (uint64_t i = 0; i < COUNT; i++) {
        double *one = matrix_haar(SIDE, 10 + i, 1);

        memcpy(all + i * SIZE, one, SIZE * sizeof *one);
        free(one);
    }
    assert_int_equal(optinc_mesh_decompose_batch(SIDE, COUNT, all, OPTINC_MESH_RECTANGULAR,
                                                 OPTINC_CELL_PHYSICAL, 3, NULL, meshes),
                     OPTINC_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_mesh(meshes[i], all + i * SIZE, OPTINC_MESH_RECTANGULAR, OPTINC_CELL_PHYSICAL);
        optinc_mesh_destroy(&meshes[i]);
    }
    all[5 * SIZE] = 7;
    assert_int_equal(optinc_mesh_decompose_batch(SIDE, COUNT, all, OPTINC_MESH_RECTANGULAR,
                                                 OPTINC_CELL_PHYSICAL, 3, NULL, meshes),
                     OPTINC_ERR_INVALID_ARGUMENT);
    for (int i = 0; i < COUNT; i++)
        assert_null(meshes[i]);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reconstruction),  cmocka_unit_test(test_defined_states),
        cmocka_unit_test(test_symmetric_edges), cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_create),          cmocka_unit_test(test_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
