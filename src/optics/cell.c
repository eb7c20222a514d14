/* SPDX-License-Identifier: Apache-2.0 */
#include "optics/cell.h"

#include <assert.h>

double oi_phase_wrap(double angle_rad)
{
    double wrapped = fmod(angle_rad, OI_TWO_PI);

    if (wrapped < 0)
        wrapped += OI_TWO_PI;
    return wrapped >= OI_TWO_PI - 1e-15 ? 0.0 : wrapped;
}

double oi_complex_phase(oi_complex a)
{
    return oi_phase_wrap(atan2(a.im, a.re));
}

/* The cell at phi = 0: PHYSICAL is coupler, shifter theta in the upper arm, coupler, with couplers
 * [[1, i], [i, 1]] / sqrt 2. */
static oi_matrix2 base_matrix(optinc_cell_form form, double theta_rad)
{
    double half =
        form == OPTINC_CELL_CLEMENTS || form == OPTINC_CELL_SYMMETRIC ? theta_rad : 0.5 * theta_rad;
    /* Exact at the bar and cross states, where cos(pi/2) would leave 6e-17. */
    double s = theta_rad == 0 ? 0.0 : sin(half);
    double c = half == 0.5 * OI_PI ? 0.0 : cos(half);
    oi_complex front = {0, 1};
    oi_matrix2 base;

    if (form == OPTINC_CELL_CLEMENTS)
        return (oi_matrix2){{{{c, 0}, {-s, 0}}, {{s, 0}, {c, 0}}}};
    if (form == OPTINC_CELL_SYMMETRIC)
        front = (oi_complex){1, 0};
    else if (form != OPTINC_CELL_BLOCH)
        front = (oi_complex){-s, c}; /* i e^(i theta/2) */
    base.m[0][0] = (oi_complex){front.re * s, front.im * s};
    base.m[0][1] = (oi_complex){front.re * c, front.im * c};
    base.m[1][0] = base.m[0][1];
    base.m[1][1] = (oi_complex){-front.re * s, -front.im * s};
    return base;
}

oi_matrix2 oi_cell_matrix(optinc_cell_form form, double theta_rad, double phi_rad, double edge_rad)
{
    oi_matrix2 cell = base_matrix(form, theta_rad);
    oi_complex phase = oi_complex_polar(phi_rad);
    oi_complex edge = oi_complex_polar(edge_rad);

    for (int i = 0; i < 2; i++) {
        switch (form) {
        case OPTINC_CELL_PHYSICAL_OUTPUT:
            cell.m[0][i] = oi_complex_multiply(cell.m[0][i], phase);
            break;
        case OPTINC_CELL_SYMMETRIC:
            cell.m[0][i] = oi_complex_multiply(cell.m[0][i], phase);
            cell.m[1][i] = oi_complex_multiply(cell.m[1][i], phase);
            break;
        case OPTINC_CELL_PHYSICAL:
        case OPTINC_CELL_BLOCH:
        case OPTINC_CELL_CLEMENTS:
            cell.m[i][0] = oi_complex_multiply(cell.m[i][0], phase);
            break;
        }
    }
    if (form == OPTINC_CELL_SYMMETRIC)
        for (int i = 0; i < 2; i++)
            cell.m[i][0] = oi_complex_multiply(cell.m[i][0], edge);
    return cell;
}

/* e^(i angle) with which matrix entry (r, c) is that of base times it. */
static oi_complex ratio(const oi_matrix2 *matrix, const oi_matrix2 *base, int r, int c)
{
    return oi_complex_unit(oi_complex_divide_unit(matrix->m[r][c], base->m[r][c]));
}

void oi_cell_split(const oi_matrix2 *matrix, optinc_cell_form form, double tiny, double *theta_rad,
                   double *phi_rad, oi_complex out[2])
{
    double straight =
        hypot(oi_complex_magnitude(matrix->m[0][0]), oi_complex_magnitude(matrix->m[1][1]));
    double crossing =
        hypot(oi_complex_magnitude(matrix->m[0][1]), oi_complex_magnitude(matrix->m[1][0]));
    bool clements = form == OPTINC_CELL_CLEMENTS;
    bool bar = crossing <= tiny, cross = straight <= tiny;
    double half = 0.5 * OI_PI;
    oi_matrix2 base;

    assert(form != OPTINC_CELL_SYMMETRIC && form != OPTINC_CELL_PHYSICAL_OUTPUT);
    if (cross)
        half = 0;
    else if (!bar)
        half = atan2(straight, crossing);
    if (clements)
        *theta_rad = cross ? 0.5 * OI_PI : bar ? 0.0 : atan2(crossing, straight);
    else
        *theta_rad = 2.0 * half;
    *phi_rad = 0;
    base = base_matrix(form, *theta_rad);
    if (bar) {
        out[0] = ratio(matrix, &base, 0, 0);
        out[1] = ratio(matrix, &base, 1, 1);
    } else if (cross) {
        out[0] = ratio(matrix, &base, 0, 1);
        out[1] = ratio(matrix, &base, 1, 0);
    } else {
        out[0] = ratio(matrix, &base, 0, 1);
        out[1] = ratio(matrix, &base, 1, 1);
        /* The larger of the two entries that carry phi tells it best. */
        if (straight >= crossing)
            *phi_rad = oi_complex_phase(oi_complex_divide_unit(ratio(matrix, &base, 0, 0), out[0]));
        else
            *phi_rad = oi_complex_phase(oi_complex_divide_unit(ratio(matrix, &base, 1, 0), out[1]));
    }
}
