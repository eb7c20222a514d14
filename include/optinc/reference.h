/* SPDX-License-Identifier: Apache-2.0 */
/* What a switch must compute, in integers (docs/proofs.md). The oracle of every other part. */
#ifndef OPTINC_REFERENCE_H
#define OPTINC_REFERENCE_H

#include "optinc/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum optinc_variant {
    OPTINC_VARIANT_HALF_UP = 0,    /* r = floor((T + D/2) / D) */
    OPTINC_VARIANT_STOCHASTIC = 1, /* r = floor((T + u) / D), u uniform in 0 .. D-1 per element */
    OPTINC_VARIANT_RESIDUAL = 2    /* r = T: nothing is rounded; not the last of a cascade */
} optinc_variant;

/* One switch. T = sum of the codes of its N ports, D = 2^divisor_log2.
 * A switch that stands alone has bits_out = bits_in and D = N. A residual switch has
 * bits_out = 2 (bits_in/2 + ceil(log4 N)) and D = 1. The last switch of a cascade takes residual
 * codes and divides by the servers of the whole tree. */
typedef struct optinc_spec {
    uint32_t ports;        /* N: 2 .. 64, a power of two */
    uint32_t bits_in;      /* of a port's code: even, 2 .. 48 */
    uint32_t bits_out;     /* of the result's code: even, 2 .. 56 */
    uint32_t divisor_log2; /* 0 .. 24 */
    optinc_variant variant;
    uint64_t zero_code; /* what an idle port sends: code of a gradient of zero */
} optinc_spec;

/* The spec of a switch that stands alone: N ports, B bits in and out, zero_code 2^(B-1); with
 * OPTINC_VARIANT_RESIDUAL that of a residual switch next to the servers. ports not a power of two
 * in 2 .. 64, bits odd or outside 2 .. 32: OPTINC_ERR_INVALID_ARGUMENT, the reason in the log. */
OPTINC_API optinc_status optinc_spec_single(uint32_t ports, uint32_t bits, optinc_variant variant,
                                            const optinc_log *log,
                                            optinc_spec *spec) OPTINC_WARN_UNUSED;

/* Checks every field and that no result exceeds bits_out; of a cascade's last switch (D > N) for
 * the codes that can reach it, at most (D/N) (2^bits_out - 1) a port. */
OPTINC_API optinc_status optinc_spec_check(const optinc_spec *spec,
                                           const optinc_log *log) OPTINC_WARN_UNUSED;

/* Digits per port, M = bits_in/2, and of the result, bits_out/2. */
OPTINC_API uint32_t optinc_spec_digits_in(const optinc_spec *spec);
OPTINC_API uint32_t optinc_spec_digits_out(const optinc_spec *spec);

/* Number of digit-sum vectors, (3N+1)^M; UINT64_MAX if it does not fit. */
OPTINC_API uint64_t optinc_spec_case_count(const optinc_spec *spec);

/* Digit sums of case number `index`: s_0 is the least significant figure in base 3N+1.
 * digit_sums [digits_in] */
OPTINC_API void optinc_case_digit_sums(const optinc_spec *spec, uint64_t index,
                                       uint32_t *digit_sums);

/* r from T, the sum of all N ports' codes, idle ones included. `offset` is the rounding offset u of
 * OPTINC_VARIANT_STOCHASTIC (0 .. D-1) and ignored by the others. T < 2^60. */
OPTINC_API uint64_t optinc_reference_result(const optinc_spec *spec, uint64_t total,
                                            uint64_t offset);

/* r from the digit sums s_j [digits_in], T = sum_j 4^j s_j. */
OPTINC_API uint64_t optinc_reference_digits(const optinc_spec *spec, const uint32_t *digit_sums,
                                            uint64_t offset);

/* The rounding offset of an element: uniform in 0 .. D-1, from the stream's seed and step and
 * `element`, the element's index in the whole message (stream->element_first is not added). It is
 * the highest log2 D bits of word element % 4 of the Philox block element / 4. */
OPTINC_API uint64_t optinc_reference_offset(const optinc_spec *spec, const optinc_stream *stream,
                                            uint64_t element);

#ifdef __cplusplus
}
#endif
#endif
