/* SPDX-License-Identifier: Apache-2.0 */
/* How far a result can be from the exact mean or sum (docs/training.md).
 * B bits, N ports, K servers, D what the sum is divided by: K for the mean, 1 for the sum. */
#include "codec/check.h"
#include "codec/kernel.h"

#include <math.h>

#define FLOAT_DIGITS 24
#define DOUBLE_DIGITS 53
#define FLOAT_EXPONENT_MIN (-126)

static bool is_power_of_two(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

/* Half the distance of floats near the largest result, 2^(B-1) 2^e N/D, and of the doubles before
 * them; 0 where every result is a float: with B-1 <= 24 bits of it and D a power of two, unless it
 * falls below the denormals. */
static double rounding_max(uint32_t bits, int exponent, uint32_t ports, uint32_t divisor)
{
    double step = ldexp((double)ports, exponent) / divisor;
    int magnitude = ilogb(step) + (int)bits - 1;

    if (is_power_of_two(divisor) && bits - 1 <= FLOAT_DIGITS &&
        ilogb(step) > FLOAT_EXPONENT_MIN - FLOAT_DIGITS)
        return 0;
    if (magnitude < FLOAT_EXPONENT_MIN)
        magnitude = FLOAT_EXPONENT_MIN;
    return ldexp(1, magnitude - FLOAT_DIGITS) + ldexp(1, magnitude - DOUBLE_DIGITS);
}

double optinc_error_bound(const optinc_codec *codec, bool switch_stochastic,
                          const optinc_result_scale *scale, uint8_t exponent)
{
    double input, output;
    uint32_t divisor;
    int e;

    if (!codec || !scale || oi_codec_check(codec) != OPTINC_OK ||
        oi_result_scale_check(scale) != OPTINC_OK || exponent == OPTINC_EXPONENT_NON_FINITE)
        return NAN;
    if (exponent == OPTINC_EXPONENT_ZERO)
        return 0;
    input = codec->rounding == OPTINC_ROUND_STOCHASTIC ? 1 : 0.5;
    output = switch_stochastic ? 1 : 0.5;
    divisor = scale->op == OPTINC_MEAN ? scale->servers : 1;
    e = oi_exponent_of_byte(codec->bits, exponent);
    return ldexp(input * scale->servers + output * scale->ports, e) / divisor +
           rounding_max(codec->bits, e, scale->ports, divisor);
}
