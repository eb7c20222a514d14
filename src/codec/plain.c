/* SPDX-License-Identifier: Apache-2.0 */
/* The codec in plain C: the oracle of the vector kernels. Doubles hold every float times every
 * scale exactly, so each value below is rounded just where the contract says so. */
#include "base/philox.h"
#include "codec/kernel.h"

#include <math.h>
#include <string.h>

/* Elements handled at once; a multiple of 4, so that every piece starts at a whole byte. */
#define PIECE 256u

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void oi_exponents_plain(const oi_exponent_job *job)
{
    for (size_t first = 0, block = 0; first < job->count; first += job->block_size, block++) {
        size_t count = smaller(job->block_size, job->count - first);
        uint32_t largest = 0;

        /* as integers, the bits of |x| are in the order of |x|, then infinity, then every NaN */
        for (size_t i = 0; i < count; i++) {
            uint32_t magnitude;

            memcpy(&magnitude, &job->x[first + i], sizeof magnitude);
            magnitude &= 0x7FFFFFFFu;
            largest = magnitude > largest ? magnitude : largest;
        }
        job->exponents[block] = oi_exponent_byte(job->bits, largest);
    }
}

/* floor(v + u), u = word / 2^32, without the rounding of the sum: with |v| = whole + fraction, both
 * exact, it is whole + (fraction >= 1 - u) for v >= 0 and -(whole + (fraction > u)) for v < 0. */
static double round_stochastic(double v, uint32_t word)
{
    double u = (double)word * 0x1p-32;
    double whole = floor(fabs(v));
    double fraction = fabs(v) - whole;
    bool up = v < 0 ? fraction > u : fraction >= 1 - u;

    return copysign(whole + (up ? 1 : 0), v);
}

static uint32_t element_word(const optinc_stream *stream, size_t index)
{
    uint64_t element = stream->element_first + index;
    uint32_t word[4];

    oi_philox(stream->seed, stream->step, element / 4, OI_PURPOSE_QUANTISE, word);
    return word[element % 4];
}

/* count <= PIECE elements from `first` on, all of one block with a scale */
static void quantise_piece(const oi_quantise_job *job, size_t first, size_t count, int exponent,
                           uint32_t *codes)
{
    double scale = ldexp(1, -exponent);
    double unit = ldexp(1, exponent);
    double limit = (double)((1u << (job->bits - 1)) - 1);

    for (size_t i = 0; i < count; i++) {
        double sign = oi_turn_sign(job->turn, first + i);
        double v = (double)job->x[first + i] * (sign * scale);
        double rounded = job->rounding == OPTINC_ROUND_STOCHASTIC
                             ? round_stochastic(v, element_word(&job->stream, first + i))
                             : rint(v);
        int64_t k;

        /* a NaN, which only a wrong exponent lets in, becomes -limit */
        if (!(rounded >= -limit))
            rounded = -limit;
        if (rounded > limit)
            rounded = limit;
        k = (int64_t)rounded;
        codes[i] = (uint32_t)(k + ((int64_t)1 << (job->bits - 1)));
        if (job->carried)
            job->carried[first + i] =
                (float)((double)job->x[first + i] - (double)k * (sign * unit));
    }
}

void oi_quantise_plain(const oi_quantise_job *job)
{
    uint32_t codes[PIECE];
    uint32_t zero_code = (uint32_t)1 << (job->bits - 1);
    size_t count;

    for (size_t first = 0; first < job->count; first += count) {
        size_t block = first / job->block_size;
        size_t in_block = job->block_size - first % job->block_size;
        uint8_t byte = job->exponents[block];

        count = smaller(smaller(PIECE, in_block), job->count - first);
        if (oi_exponent_is_scale(byte)) {
            quantise_piece(job, first, count, oi_exponent_of_byte(job->bits, byte), codes);
        } else {
            for (size_t i = 0; i < count; i++)
                codes[i] = zero_code;
            if (job->carried && byte == OPTINC_EXPONENT_NON_FINITE)
                memset(job->carried + first, 0, count * sizeof *job->carried);
        }
        oi_codes_pack(job->bits, codes, count, job->symbols + first / 4 * job->bits / 2);
    }
}

/* (r - 2^(B-1)) 2^e N is exact; the division rounds to double, the conversion to float. */
void oi_dequantise_plain(const oi_dequantise_job *job)
{
    uint32_t codes[PIECE];
    int64_t zero_code = (int64_t)1 << (job->bits - 1);
    size_t count;

    for (size_t first = 0; first < job->count; first += count) {
        size_t block = first / job->block_size;
        size_t in_block = job->block_size - first % job->block_size;
        uint8_t byte = job->exponents[block];
        double unit;

        count = smaller(smaller(PIECE, in_block), job->count - first);
        if (byte == OPTINC_EXPONENT_NON_FINITE)
            continue;
        if (byte == OPTINC_EXPONENT_ZERO) {
            memset(job->y + first, 0, count * sizeof *job->y);
            continue;
        }
        unit = ldexp(job->ports, oi_exponent_of_byte(job->bits, byte));
        oi_codes_unpack(job->bits, job->symbols + first / 4 * job->bits / 2, count, codes);
        for (size_t i = 0; i < count; i++)
            job->y[first + i] = (float)((double)((int64_t)codes[i] - zero_code) *
                                        (oi_turn_sign(job->turn, first + i) * unit) / job->divisor);
    }
}
