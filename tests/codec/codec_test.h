/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the codec's tests: awkward floats and exact integer oracles. B bits. */
#ifndef CODEC_TEST_H
#define CODEC_TEST_H

#include "base/memory.h"
#include "base/philox.h"
#include "optinc/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

/* A counter of our own; nothing here depends on the streams under test. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

static inline float float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of_float(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Finite floats of every kind: gradients of like size, whole numbers and halves, any bits at all,
 * denormals, zeros of both signs, the largest. `kind` picks one; 6 kinds. */
static inline float awkward_float(uint64_t *state, uint32_t kind)
{
    uint32_t r = next_random(state);
    float sign = (next_random(state) & 1) ? -1.0f : 1.0f;

    switch (kind) {
    case 0:
        return sign * (float)(r >> 8) * 0x1p-30f;
    case 1:
        return sign * (float)(r % 511) * 0.5f;
    case 2:
        return sign * float_of_bits(r & 0x7F7FFFFFu);
    case 3:
        return sign * float_of_bits(r & 0x7FFFFFu);
    case 4:
        return sign * 0.0f;
    default:
        return sign * float_of_bits(0x7F7FFFFFu - (r & 3));
    }
}

/* x = *fraction 2^*power, exactly; |fraction| < 2^24 */
static inline void take_apart(float x, int64_t *fraction, int *power)
{
    uint32_t bits = bits_of_float(x);
    uint32_t exponent = bits >> 23 & 0xFF;
    int64_t magnitude = bits & 0x7FFFFF;

    if (exponent > 0)
        magnitude += 0x800000;
    *fraction = bits >> 31 ? -magnitude : magnitude;
    *power = (int)(exponent > 0 ? exponent : 1) - 150;
}

static inline int64_t clamp_code(__int128 value, uint32_t bits)
{
    int64_t limit = ((int64_t)1 << (bits - 1)) - 1;

    return value > limit ? limit : value < -limit ? -limit : (int64_t)value;
}

/* x / 2^e to the nearest integer, ties to even, clamped: integers only */
static inline int64_t oracle_nearest(float x, int e, uint32_t bits)
{
    int64_t fraction, magnitude, whole, rest, half;
    int power;

    take_apart(x, &fraction, &power);
    power -= e;
    if (power >= 40)
        return clamp_code(fraction * ((__int128)1 << 64), bits);
    if (power >= 0)
        return clamp_code(fraction * ((__int128)1 << power), bits);
    if (power < -30)
        return 0;
    magnitude = fraction < 0 ? -fraction : fraction;
    whole = magnitude >> -power;
    rest = magnitude & (((int64_t)1 << -power) - 1);
    half = (int64_t)1 << (-power - 1);
    whole += rest > half || (rest == half && whole % 2 != 0);
    return clamp_code(fraction < 0 ? -whole : whole, bits);
}

/* floor(x / 2^e + word / 2^32), clamped: integers only */
static inline int64_t oracle_stochastic(float x, int e, uint32_t word, uint32_t bits)
{
    int64_t fraction;
    int power, scale;
    __int128 sum;

    take_apart(x, &fraction, &power);
    power -= e;
    if (power >= 40)
        return clamp_code(fraction * ((__int128)1 << 64), bits);
    if (power >= 0)
        return clamp_code(fraction * ((__int128)1 << power), bits);
    if (power < -90) /* |x / 2^e| < 2^-66, less than the smallest step of word / 2^32 */
        return fraction < 0 && word == 0 ? -1 : 0;
    scale = -power > 32 ? -power : 32;
    sum = fraction * ((__int128)1 << (scale + power)) + ((__int128)word << (scale - 32));
    return clamp_code(sum >> scale, bits); /* arithmetic shift: floor */
}

static inline uint32_t oracle_word(const optinc_stream *stream, uint64_t index)
{
    uint32_t word[4];

    oi_philox(stream->seed, stream->step, (stream->element_first + index) / 4, OI_PURPOSE_QUANTISE,
              word);
    return word[(stream->element_first + index) % 4];
}

/* Bit by bit: code number `index` of packed symbols. */
static inline uint64_t oracle_code(uint32_t bits, const uint8_t *symbols, size_t index)
{
    uint64_t code = 0;

    for (uint32_t b = 0; b < bits; b++) {
        size_t at = index * bits + b;

        code |= (uint64_t)(symbols[at / 8] >> at % 8 & 1) << b;
    }
    return code;
}

static inline bool is_turned(optinc_turn turn, size_t index)
{
    return turn == OPTINC_TURN_EVEN ? index % 2 == 0 : turn == OPTINC_TURN_ODD && index % 2 == 1;
}

static inline bool kernel_is_there(optinc_kernel kernel)
{
    optinc_codec codec = optinc_codec_default(8);

    codec.kernel = kernel;
    return optinc_codec_exponents(&codec, NULL, 0, NULL) == OPTINC_OK;
}

#endif
