/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of blocks share: small matrices in double precision. */
#ifndef TESTS_ONN_SEGMENT_COMMON_H
#define TESTS_ONN_SEGMENT_COMMON_H

#include "onn/train_internal.h"

#include "base/memory.h"
#include "base/philox.h"

#include <cblas.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIDE 12u

static inline double uniform(uint64_t index)
{
    uint32_t word[4];

    oi_philox(99, 0, index, OI_PURPOSE_TEST, word);
    return 2.0 * oi_uniform_double(word[0], word[1]) - 1.0;
}

/* y = a b */
static inline void multiply(const double *a, const double *b, double *y)
{
    for (uint32_t i = 0; i < SIDE; i++)
        for (uint32_t j = 0; j < SIDE; j++) {
            double sum = 0.0;

            for (uint32_t k = 0; k < SIDE; k++)
                sum += a[i * SIDE + k] * b[k * SIDE + j];
            y[i * SIDE + j] = sum;
        }
}

/* y = exp(x), 30 terms */
static inline void exponential(const double *x, double *y)
{
    double term[SIDE * SIDE] = {0}, next[SIDE * SIDE];

    for (uint32_t i = 0; i < SIDE; i++)
        term[i * SIDE + i] = 1.0;
    memcpy(y, term, sizeof term);
    for (int n = 1; n < 30; n++) {
        multiply(term, x, next);
        for (uint32_t i = 0; i < SIDE * SIDE; i++) {
            term[i] = next[i] / n;
            y[i] += term[i];
        }
    }
}

static inline void random_skew(double size, uint64_t salt, double *x)
{
    for (uint32_t i = 0; i < SIDE; i++) {
        x[i * SIDE + i] = 0.0;
        for (uint32_t j = i + 1; j < SIDE; j++) {
            x[i * SIDE + j] = size * uniform(salt + i * SIDE + j);
            x[j * SIDE + i] = -x[i * SIDE + j];
        }
    }
}

#endif
