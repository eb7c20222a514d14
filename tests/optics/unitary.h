/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices that the tests of this room share, [side, side] interleaved complex but where it says
 * other. */
#ifndef TEST_UNITARY_H
#define TEST_UNITARY_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"

static inline double *matrix_zero(uint32_t side)
{
    return calloc(2 * (size_t)side * side + 1, sizeof(double));
}

static inline double *matrix_identity(uint32_t side)
{
    double *m = matrix_zero(side);

    for (uint32_t i = 0; i < side; i++)
        m[2 * ((size_t)i * side + i)] = 1;
    return m;
}

static inline double *matrix_anti_identity(uint32_t side)
{
    double *m = matrix_zero(side);

    for (uint32_t i = 0; i < side; i++)
        m[2 * ((size_t)i * side + side - 1 - i)] = 1;
    return m;
}

/* Row i has its one in column (5 i + 3) mod side, or in i + 1 (mod side) where 5 divides side. */
static inline double *matrix_permutation(uint32_t side)
{
    double *m = matrix_zero(side);

    for (uint32_t i = 0; i < side; i++)
        m[2 * ((size_t)i * side + (side % 5 ? (5 * i + 3) % side : (i + 1) % side))] = 1;
    return m;
}

static inline double *matrix_dft(uint32_t side)
{
    double *m = matrix_zero(side);

    for (uint32_t r = 0; r < side; r++)
        for (uint32_t c = 0; c < side; c++) {
            double angle = -2 * acos(-1.0) * (double)((uint64_t)r * c % side) / side;

            m[2 * ((size_t)r * side + c)] = cos(angle) / sqrt(side);
            m[2 * ((size_t)r * side + c) + 1] = sin(angle) / sqrt(side);
        }
    return m;
}

/* Gaussian entries, then Gram-Schmidt twice over the rows: Haar distributed. imaginary 0: real. */
static inline double *matrix_haar(uint32_t side, uint64_t seed, double imaginary)
{
    double *m = matrix_zero(side);
    size_t row_size = 2 * (size_t)side;

    for (size_t i = 0; i < (size_t)side * side; i++) {
        uint32_t word[4];

        oi_philox(seed, 0, i, OI_PURPOSE_TEST, word);
        oi_normal_pair(word, m + 2 * i);
        m[2 * i + 1] *= imaginary;
    }
    for (uint32_t r = 0; r < side; r++) {
        double *row = m + r * row_size, norm = 0;

        for (int pass = 0; pass < 2; pass++)
            for (uint32_t k = 0; k < r; k++) {
                const double *other = m + k * row_size;
                double re = 0, im = 0;

                for (size_t i = 0; i < row_size; i += 2) {
                    re += other[i] * row[i] + other[i + 1] * row[i + 1];
                    im += other[i] * row[i + 1] - other[i + 1] * row[i];
                }
                for (size_t i = 0; i < row_size; i += 2) {
                    row[i] -= re * other[i] - im * other[i + 1];
                    row[i + 1] -= re * other[i + 1] + im * other[i];
                }
            }
        for (size_t i = 0; i < row_size; i++)
            norm += row[i] * row[i];
        for (size_t i = 0; i < row_size; i++)
            row[i] /= sqrt(norm);
    }
    return m;
}

/* Real, [rows, cols], not interleaved. */
static inline double *matrix_gaussian(uint32_t rows, uint32_t cols, uint64_t seed)
{
    double *m = calloc((size_t)rows * cols + 1, sizeof *m), pair[2];

    for (size_t i = 0; i < (size_t)rows * cols; i++) {
        uint32_t word[4];

        oi_philox(seed, 1, i, OI_PURPOSE_TEST, word);
        oi_normal_pair(word, pair);
        m[i] = pair[0];
    }
    return m;
}

/* max |a - b| over complex entries; NaN if there is one. */
static inline double matrix_difference(const double *a, const double *b, size_t entry_count)
{
    double worst = 0;

    for (size_t i = 0; i < entry_count; i++) {
        double size = hypot(a[2 * i] - b[2 * i], a[2 * i + 1] - b[2 * i + 1]);

        if (!(size <= worst))
            worst = size;
    }
    return worst;
}

#endif
