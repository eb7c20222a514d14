/* SPDX-License-Identifier: Apache-2.0 */
/* The tile kernels, compiled once for every instruction set. Nothing but additions, products,
 * divisions, square roots and comparisons of single elements, in one order and without contraction:
 * every instruction set gives the same bits. */
#include <math.h>
#include <string.h>

#include "optics/photonic.h"

#define TILE OI_PHOTONIC_TILE

static void multiply(uint32_t rows, uint32_t cols, const double *a, const double *x, bool add,
                     double *y)
{
    for (uint32_t r = 0; r < rows; r++) {
        const double *row = a + (size_t)r * cols;
        double sum[TILE];

        for (uint32_t e = 0; e < TILE; e++)
            sum[e] = add ? y[(size_t)r * TILE + e] : 0.0;
        for (uint32_t c = 0; c < cols; c++) {
            const double weight = row[c], *in = x + (size_t)c * TILE;

            for (uint32_t e = 0; e < TILE; e++)
                sum[e] += weight * in[e];
        }
        memcpy(y + (size_t)r * TILE, sum, sizeof sum);
    }
}

/* log(x), x >= 0.5, finite: x = 2^k m with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh(t),
 * t = (m-1)/(m+1), |t| < 0.172; the series to t^9 leaves 2e-9. */
static inline float log_float(float x)
{
    uint32_t bits;
    int32_t exponent;
    float m, t, t2;

    memcpy(&bits, &x, sizeof bits);
    /* the mantissa's field of sqrt(1/2) is 0x3504F3 */
    exponent = (int32_t)((bits - 0x3F3504F3u) >> 23) - ((bits < 0x3F3504F3u) ? 512 : 0);
    bits -= (uint32_t)exponent << 23;
    memcpy(&m, &bits, sizeof m);
    t = (m - 1.0f) / (m + 1.0f);
    t2 = t * t;
    return (float)exponent * 0.693147181f +
           2.0f * t *
               (1.0f + t2 * (0.333333333f + t2 * (0.2f + t2 * (0.142857143f + t2 * 0.111111111f))));
}

/* Box-Muller. u = (word + 1/2) / 2^32 reaches 2^-33: normals out to 6.7, so that error rates down to
 * 1e-10 are not cut off. The angle is a quarter turn's sine and cosine, by Taylor on [-pi/4, pi/4]
 * to 1e-8, and the quarter from the word's two highest bits. */
static void normals(const uint32_t *words, size_t pair_count, float *normal)
{
    for (size_t i = 0; i < pair_count; i++) {
        uint32_t w = words[2 * i + 1];
        float square = 2.0f * (22.1807098f - log_float((float)words[2 * i] + 0.5f));
        float radius = sqrtf(square > 0.0f ? square : 0.0f);
        float a = (float)((int32_t)(w << 2) >> 2) * (1.57079633f / 1073741824.0f);
        float a2 = a * a;
        float s = a * (1.0f - a2 * (0.166666667f - a2 * (0.00833333333f -
                                                         a2 * (1.98412698e-4f - a2 * 2.7557e-6f))));
        float c =
            1.0f - a2 * (0.5f - a2 * (0.0416666667f - a2 * (0.00138888889f - a2 * 2.48015873e-5f)));
        uint32_t quarter = w >> 30;
        float first = quarter & 1u ? s : c, second = quarter & 1u ? c : s;

        normal[2 * i] = radius * (quarter == 1u || quarter == 2u ? -first : first);
        normal[2 * i + 1] = radius * (quarter >= 2u ? -second : second);
    }
}

static void add_noise(double *y, double sigma, double share, const float *normal, size_t stride)
{
    double gathered[TILE];

    for (uint32_t e = 0; e < TILE; e++)
        gathered[e] = (double)normal[e * stride];
    if (share > 0)
        for (uint32_t e = 0; e < TILE; e++)
            y[e] += sqrt(sigma * sigma + share * share * y[e] * y[e]) * gathered[e];
    else
        for (uint32_t e = 0; e < TILE; e++)
            y[e] += sigma * gathered[e];
}

static void receive(double *y, double bias, double sigma, double share, const float *normal,
                    size_t stride, optinc_activation activation, double scale)
{
    if (normal)
        add_noise(y, sigma, share, normal, stride);
    if (activation == OPTINC_ACTIVATION_LINEAR)
        for (uint32_t e = 0; e < TILE; e++)
            y[e] = (y[e] + bias) * scale;
    else if (activation == OPTINC_ACTIVATION_RELU)
        for (uint32_t e = 0; e < TILE; e++)
            y[e] = (y[e] + bias > 0.0 ? y[e] + bias : 0.0) * scale;
    else
        for (uint32_t e = 0; e < TILE; e++) {
            double value = y[e] + bias > 0.0 ? y[e] + bias : 0.0;

            y[e] = (value < 1.0 ? value : 1.0) * scale;
        }
}

static void leak(const double *x, double *q)
{
    for (uint32_t e = 0; e < TILE; e++) {
        double rest = 1.0 - x[e] * x[e];

        q[e] = sqrt(rest > 0.0 ? rest : 0.0);
    }
}
