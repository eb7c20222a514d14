/* SPDX-License-Identifier: Apache-2.0 */
/* C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404: the upper limit p of an error rate of which
 * k errors in n were seen solves P(X <= k | p) = I_(1-p)(n-k, k+1) = alpha, I the regularised
 * incomplete beta function. */
#include "onn/prove.h"

#include <math.h>

#define ALPHA 0.05
#define ITERATIONS_MAX 100000
#define TINY 1e-300

/* The continued fraction of I_x(a, b), by the method of Lentz (Abramowitz and Stegun 26.5.8); it
 * converges fast for x < (a+1)/(a+b+2), in about sqrt(max(a, b)) steps. */
static double beta_fraction(double x, double a, double b)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1), h;

    d = 1 / (fabs(d) < TINY ? TINY : d);
    h = d;
    for (int m = 1; m <= ITERATIONS_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

        d = 1 + even * d;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = 1 + even / c;
        c = fabs(c) < TINY ? TINY : c;
        h *= d * c;
        d = 1 + odd * d;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = 1 + odd / c;
        c = fabs(c) < TINY ? TINY : c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return h;
}

/* I_x(a, b), 0 < x < 1; y = 1 - x is passed beside it because it may be tiny. */
static double beta_regularised(double x, double y, double a, double b)
{
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));

    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(y, b, a) / b;
}

double oi_clopper_pearson_upper(uint64_t errors, uint64_t count)
{
    double k = (double)errors, n = (double)count;
    double low = k / n, high = 1;

    if (errors >= count)
        return 1;
    if (errors == 0)
        return -expm1(log(ALPHA) / n);
    /* P(X <= k | p) falls with p: at p = k/n it is about a half, at 1 it is 0 */
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        double p = low + (high - low) / 2;

        if (beta_regularised(1 - p, p, n - k, k + 1) > ALPHA)
            low = p;
        else
            high = p;
    }
    return high;
}
