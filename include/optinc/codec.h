/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients <-> block exponents and codes <-> packed PAM4 symbols (docs/training.md).
 *
 * A block is `block_size` consecutive elements that share one scale exponent byte:
 *   OPTINC_EXPONENT_ZERO (0)         every element of the block is zero
 *   1 .. 254                         scale 2^e with e = byte - 1 + optinc_exponent_min(bits)
 *   OPTINC_EXPONENT_NON_FINITE (255) the block holds a NaN or an infinity
 * so the exponent that all servers agree on is the byte-wise maximum of theirs.
 *
 * A code is x / 2^e rounded, plus 2^(bits-1). Codes are packed little-endian, `bits` bits each,
 * element 0 in the lowest bits of byte 0: digit j of element i is the PAM4 symbol number
 * i * bits/2 + j, four symbols to a byte. For bits = 8, 16, 32 that is an array of uint8_t,
 * little-endian uint16_t or uint32_t.
 *
 * The bits do not depend on kernel, thread count, the caller's floating-point mode (rounding,
 * flush-to-zero, denormals-are-zero) or on how a message is cut at multiples of the block size. */
#ifndef OPTINC_CODEC_H
#define OPTINC_CODEC_H

#include "optinc/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OPTINC_EXPONENT_ZERO 0u
#define OPTINC_EXPONENT_NON_FINITE 255u
#define OPTINC_BLOCK_SIZE_DEFAULT 256u

typedef enum optinc_rounding {
    OPTINC_ROUND_NEAREST = 0,   /* to nearest, ties to even */
    OPTINC_ROUND_STOCHASTIC = 1 /* floor(x / 2^e + u), u uniform in [0, 1): unbiased */
} optinc_rounding;

/* Which implementation runs. All give the same bits; PLAIN is the oracle. */
typedef enum optinc_kernel {
    OPTINC_KERNEL_AUTO = 0, /* the best that this CPU has */
    OPTINC_KERNEL_PLAIN = 1,
    OPTINC_KERNEL_AVX2 = 2,
    OPTINC_KERNEL_AVX512 = 3
} optinc_kernel;

/* Elements whose signs are turned on their way to codes and turned back on the way from the result.
 * A job that turns odd and even ones in turn is free of the bias of the switch's half up: what it
 * adds on average changes sign from step to step. */
typedef enum optinc_turn {
    OPTINC_TURN_NONE = 0,
    OPTINC_TURN_EVEN = 1, /* x[0] and every second after it; a message is cut at even indices */
    OPTINC_TURN_ODD = 2
} optinc_turn;

typedef struct optinc_codec {
    uint32_t bits;            /* B: even, 2 .. 32 */
    uint32_t block_size;      /* elements: 4 .. 65536, a multiple of 4 */
    optinc_rounding rounding; /* of the quantisation */
    optinc_kernel kernel;     /* a kernel that this CPU lacks: OPTINC_ERR_UNSUPPORTED */
    uint32_t thread_count;    /* OpenMP threads; 0: OpenMP's default */
    optinc_turn turn;         /* of quantise and dequantise */
} optinc_codec;

/* What the switch's result means: mean = (r - 2^(B-1)) 2^e N/K, sum = K mean. */
typedef enum optinc_op { OPTINC_SUM = 0, OPTINC_MEAN = 1 } optinc_op;

typedef struct optinc_result_scale {
    optinc_op op;
    uint32_t ports;   /* N: 1 .. 2^20, a power of two */
    uint32_t servers; /* K: 1 .. N */
} optinc_result_scale;

/* nearest rounding, blocks of OPTINC_BLOCK_SIZE_DEFAULT, automatic kernel, one thread */
OPTINC_API optinc_codec optinc_codec_default(uint32_t bits);

/* Exponent e of byte 1: 130 - bits - 253. Byte 254 then holds the exponent of FLT_MAX. */
OPTINC_API int optinc_exponent_min(uint32_t bits);

/* Bytes of `element_count` packed codes, bits <= 64: ceil(element_count * bits / 8). SIZE_MAX on
 * overflow. */
OPTINC_API size_t optinc_symbols_size(uint32_t bits, size_t element_count);

/* ceil(element_count / block_size); block_size >= 1 */
OPTINC_API size_t optinc_block_count(uint32_t block_size, size_t element_count);

/* All that take a codec return OPTINC_ERR_INVALID_ARGUMENT for a field outside the range that the
 * struct gives or a NULL buffer (count 0 needs none), OPTINC_ERR_UNSUPPORTED for a kernel that this
 * CPU lacks, OPTINC_ERR_OVERFLOW for a count of which there can be no array; outputs then stay as
 * they were. They allocate nothing and hold nothing: any number of threads may call them. */

/* exponents [block_count] of x [count]: per block the smallest e with
 * max|x| <= (2^(bits-1)-1) 2^e, or the smallest that the byte holds. */
OPTINC_API optinc_status optinc_codec_exponents(const optinc_codec *codec, const float *x,
                                                size_t count,
                                                uint8_t *exponents) OPTINC_WARN_UNUSED;

/* The seed with which rank `rank` of a job with this seed rounds stochastically, a stream of its
 * own: the ranks' roundings are independent, so the error that they leave in the mean falls as
 * 1/sqrt(K), where equal draws would round equal gradients the same way everywhere. It is the first
 * two words of the job's Philox stream at index `rank`; the switch's own rounding has the job's
 * seed. */
OPTINC_API uint64_t optinc_rank_seed(uint64_t seed, uint32_t rank);

/* x [count] to packed codes symbols [optinc_symbols_size(bits, count)] with the agreed exponents
 * [block_count]. x[0] starts block 0; its index in the message is stream->element_first.
 * g = clamp(round(x / 2^e), -(2^(B-1)-1), 2^(B-1)-1) + 2^(B-1); zero and non-finite blocks give the
 * zero code 2^(B-1). Stochastic rounding has u = word / 2^32, word i % 4 of Philox index i / 4,
 * where i is the element's index in the message. A turned element has -x for x. Unused bits of the
 * last byte are zero. `stream` may be NULL for OPTINC_ROUND_NEAREST. No buffer may overlap
 * another. */
OPTINC_API optinc_status optinc_codec_quantise(const optinc_codec *codec, const float *x,
                                               size_t count, const uint8_t *exponents,
                                               const optinc_stream *stream,
                                               uint8_t *symbols) OPTINC_WARN_UNUSED;

/* The same with error feedback. On entry carried [count] holds what is to be sent (gradient plus
 * the error of the step before); on return it holds this step's quantisation error,
 * carried - 2^e (g - 2^(B-1)), + where the element is turned, computed in double and rounded to
 * float once: exact with OPTINC_ROUND_NEAREST if the exponent is no smaller than the block's own; 0
 * in non-finite blocks. */
OPTINC_API optinc_status optinc_codec_quantise_feedback(const optinc_codec *codec, float *carried,
                                                        size_t count, const uint8_t *exponents,
                                                        const optinc_stream *stream,
                                                        uint8_t *symbols) OPTINC_WARN_UNUSED;

/* packed result codes to y [count]; each value is computed in double and rounded to float once, and
 * negated where the element is turned.
 * Zero blocks: 0, whatever the codes. Non-finite blocks: y is left as it is. */
OPTINC_API optinc_status optinc_codec_dequantise(const optinc_codec *codec, const uint8_t *symbols,
                                                 size_t count, const uint8_t *exponents,
                                                 const optinc_result_scale *scale,
                                                 float *y) OPTINC_WARN_UNUSED;

/* Bound of |result - exact mean (or sum)| for an element of a block with this exponent byte:
 * 2^e (q K + s N) / K for the mean, K times that for the sum, with q = 1/2 (nearest) or 1
 * (stochastic) at the input and s = 1/2 (half up) or 1 (stochastic) in the switch, plus the half
 * ulp by which rounding the result to float can move it (none where every result is a float). 0 for
 * zero blocks, NaN for non-finite ones and for arguments that are not valid. A result beyond
 * FLT_MAX is infinite, as a float sum is. */
OPTINC_API double optinc_error_bound(const optinc_codec *codec, bool switch_stochastic,
                                     const optinc_result_scale *scale, uint8_t exponent);

/* codes [count] to packed symbols and back. bits even, 2 .. 64; a code above 2^bits-1 is
 * OPTINC_ERR_INVALID_ARGUMENT, a count of which there can be no array OPTINC_ERR_OVERFLOW. */
OPTINC_API optinc_status optinc_symbols_pack(uint32_t bits, const uint64_t *codes, size_t count,
                                             uint8_t *symbols) OPTINC_WARN_UNUSED;
OPTINC_API optinc_status optinc_symbols_unpack(uint32_t bits, const uint8_t *symbols, size_t count,
                                               uint64_t *codes) OPTINC_WARN_UNUSED;

#ifdef __cplusplus
}
#endif
#endif
