/* SPDX-License-Identifier: Apache-2.0 */
/* What the vector kernels share: powers of two made of their bits, how a block is computed. */
#ifndef OI_CODEC_VECTOR_H
#define OI_CODEC_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of what is inlined by force: the vector kernels are written once for every B and mode, which are
 * constants at each place of use. */
#define OI_INLINE static inline __attribute__((always_inline))

/* Above this B, 2^(B-1)-1 is not a float, and a product of a code and a float may round. */
#define OI_BITS_FLOAT_MAX 24u

static inline bool oi_is_normal_exponent(int exponent)
{
    return exponent >= -126 && exponent <= 127;
}

/* 2^exponent, exponent as oi_is_normal_exponent wants it */
static inline float oi_power_of_two(int exponent)
{
    uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* 2^exponent, exponent -1022 .. 1023: any scale, any N, any K */
static inline double oi_power_of_two_double(int exponent)
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline size_t oi_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How a block's codes k become floats, k unit / D with unit = N 2^e and factor = unit / D.
 * POWER: factor is a power of two and its multiples are normal floats, so one float product rounds
 * just once, as the plain version does. RECIPROCAL: K is no power of two, but for B <= 24 the
 * quotient is a float, or further from the middle of two floats than 1/(2^20 2^25) of itself
 * (K <= 2^20), so that k factor, 2^-52 off, gives the same normal float. DIVIDE: all else, as the
 * plain version. */
typedef enum oi_dequantise_mode {
    OI_DEQUANTISE_POWER,
    OI_DEQUANTISE_RECIPROCAL,
    OI_DEQUANTISE_DIVIDE
} oi_dequantise_mode;

static inline oi_dequantise_mode oi_dequantise_mode_of(uint32_t bits, double divisor, double factor)
{
    uint32_t k = (uint32_t)divisor;

    if (factor < 0x1p-126)
        return OI_DEQUANTISE_DIVIDE;
    if ((k & (k - 1)) == 0)
        return factor <= 0x1p127 ? OI_DEQUANTISE_POWER : OI_DEQUANTISE_DIVIDE;
    return bits <= OI_BITS_FLOAT_MAX ? OI_DEQUANTISE_RECIPROCAL : OI_DEQUANTISE_DIVIDE;
}

#endif
