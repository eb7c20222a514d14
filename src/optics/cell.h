/* SPDX-License-Identifier: Apache-2.0 */
/* The 2x2 matrix of one MZI in every form of optinc/optics.h. Complex numbers are a struct: C's own
 * type checks every product for NaN, and must not appear in public signatures. */
#ifndef OI_OPTICS_CELL_H
#define OI_OPTICS_CELL_H

#include <math.h>

#include "optinc/optics.h"

#define OI_PI 3.14159265358979323846
#define OI_TWO_PI 6.28318530717958647693

typedef struct oi_complex {
    double re;
    double im;
} oi_complex;

typedef struct oi_matrix2 {
    oi_complex m[2][2];
} oi_matrix2;

static inline oi_complex oi_complex_multiply(oi_complex a, oi_complex b)
{
    return (oi_complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* a conj(b) */
static inline oi_complex oi_complex_divide_unit(oi_complex a, oi_complex b)
{
    return (oi_complex){a.re * b.re + a.im * b.im, a.im * b.re - a.re * b.im};
}

static inline double oi_complex_magnitude(oi_complex a)
{
    return sqrt(a.re * a.re + a.im * a.im);
}

static inline oi_complex oi_complex_polar(double angle_rad)
{
    return (oi_complex){cos(angle_rad), sin(angle_rad)};
}

/* a / |a|; 1 for zero. */
static inline oi_complex oi_complex_unit(oi_complex a)
{
    double size = oi_complex_magnitude(a);

    return size > 0 ? (oi_complex){a.re / size, a.im / size} : (oi_complex){1, 0};
}

/* Any finite angle to [0, 2 pi); what rounding leaves within 1e-15 of 2 pi becomes 0. */
double oi_phase_wrap(double angle_rad);

/* Phase of a number other than zero, in [0, 2 pi). */
double oi_complex_phase(oi_complex a);

oi_matrix2 oi_cell_matrix(optinc_cell_form form, double theta_rad, double phi_rad, double edge_rad);

/* Writes a unitary `matrix` as diag(out) X(theta, phi), X the cell of an input-phase form
 * (PHYSICAL, BLOCH, CLEMENTS). An amplitude below `tiny` counts as the bar or cross state: phi 0. */
void oi_cell_split(const oi_matrix2 *matrix, optinc_cell_form form, double tiny, double *theta_rad,
                   double *phi_rad, oi_complex out[2]);

#endif
