/* SPDX-License-Identifier: Apache-2.0 */
/* What a codec kernel does: a run of blocks on one thread. Arguments are checked already. */
#ifndef OI_CODEC_KERNEL_H
#define OI_CODEC_KERNEL_H

#include "optinc/codec.h"

typedef struct oi_exponent_job {
    uint32_t bits;
    uint32_t block_size;
    const float *x;
    size_t count;
    uint8_t *exponents;
} oi_exponent_job;

typedef struct oi_quantise_job {
    uint32_t bits;
    uint32_t block_size;
    optinc_rounding rounding;
    const float *x;
    float *carried; /* x itself, to be replaced by the quantisation error; NULL: no feedback */
    size_t count;
    const uint8_t *exponents;
    optinc_turn turn;
    optinc_stream stream; /* element_first: index of x[0] in the message */
    uint8_t *symbols;
    bool bypass_cache; /* the result is too large to stay in the caches: store past them */
} oi_quantise_job;

typedef struct oi_dequantise_job {
    uint32_t bits;
    uint32_t block_size;
    const uint8_t *symbols;
    size_t count;
    const uint8_t *exponents;
    double ports;   /* N */
    double divisor; /* K for the mean, 1 for the sum */
    optinc_turn turn;
    float *y;
    bool bypass_cache;
} oi_dequantise_job;

void oi_exponents_plain(const oi_exponent_job *job);
void oi_quantise_plain(const oi_quantise_job *job);
void oi_dequantise_plain(const oi_dequantise_job *job);

/* In builds for x86-64; to be called only where the CPU has the instructions. */
void oi_exponents_avx2(const oi_exponent_job *job);
void oi_quantise_avx2(const oi_quantise_job *job);
void oi_dequantise_avx2(const oi_dequantise_job *job);
void oi_exponents_avx512(const oi_exponent_job *job);
void oi_quantise_avx512(const oi_quantise_job *job);
void oi_dequantise_avx512(const oi_dequantise_job *job);

/* The exponent byte of a block whose largest |x| has these bits. With the biased exponent E and the
 * fraction f of a normal float, max|x| <= (2^(B-1)-1) 2^e becomes, exactly,
 *     e = E - 127 - (B-2) + (f > 2^23 - 2^(25-B)),
 * and adding 2^(25-B) - 1 carries into E just then (for B > 24 every f fits). By the choice of
 * optinc_exponent_min the byte is e - optinc_exponent_min(B) + 1 = E - 1 for every B. */
static inline uint8_t oi_exponent_byte(uint32_t bits, uint32_t magnitude_bits)
{
    uint32_t carry = bits <= 24 ? ((uint32_t)1 << (25 - bits)) - 1 : 0;
    uint32_t exponent;

    if (magnitude_bits == 0)
        return OPTINC_EXPONENT_ZERO;
    if (magnitude_bits >= 0x7F800000u)
        return OPTINC_EXPONENT_NON_FINITE;
    exponent = (magnitude_bits + carry) >> 23;
    return (uint8_t)(exponent < 2 ? 1 : exponent - 1);
}

/* -1 for an element that is turned, else 1. Jobs begin at an even index. Scales carry it: products
 * with them are as exact with one sign as with the other, and rounding is symmetric. */
static inline double oi_turn_sign(optinc_turn turn, size_t index)
{
    return turn == (index % 2 ? OPTINC_TURN_ODD : OPTINC_TURN_EVEN) ? -1 : 1;
}

static inline bool oi_exponent_is_scale(uint8_t byte)
{
    return byte != OPTINC_EXPONENT_ZERO && byte != OPTINC_EXPONENT_NON_FINITE;
}

/* e of a byte 1 .. 254 */
static inline int oi_exponent_of_byte(uint32_t bits, uint8_t byte)
{
    return (int)byte - 1 + optinc_exponent_min(bits);
}

/* codes [count] to packed symbols and back; the first code starts at bit 0. bits <= 32. A last byte
 * that is not full is filled with zeros. */
void oi_codes_pack(uint32_t bits, const uint32_t *codes, size_t count, uint8_t *symbols);
void oi_codes_unpack(uint32_t bits, const uint8_t *symbols, size_t count, uint32_t *codes);

#endif
