/* SPDX-License-Identifier: Apache-2.0 */
/* r = floor((T + offset) / D) of docs/proofs.md, in integers. */
#include "optinc/reference.h"

#include "base/philox.h"

uint64_t optinc_spec_case_count(const optinc_spec *spec)
{
    uint64_t base = 3 * (uint64_t)spec->ports + 1;
    uint64_t count = 1;

    for (uint32_t j = 0; j < optinc_spec_digits_in(spec); j++)
        if (__builtin_mul_overflow(count, base, &count))
            return UINT64_MAX;
    return count;
}

void optinc_case_digit_sums(const optinc_spec *spec, uint64_t index, uint32_t *digit_sums)
{
    uint64_t base = 3 * (uint64_t)spec->ports + 1;

    for (uint32_t j = 0; j < optinc_spec_digits_in(spec); j++) {
        digit_sums[j] = (uint32_t)(index % base);
        index /= base;
    }
}

uint64_t optinc_reference_result(const optinc_spec *spec, uint64_t total, uint64_t offset)
{
    uint64_t divisor = (uint64_t)1 << spec->divisor_log2;

    /* T < 2^60 and offset < D <= 2^24: the sums stay below 2^61. */
    switch (spec->variant) {
    case OPTINC_VARIANT_HALF_UP:
        return (total + divisor / 2) / divisor;
    case OPTINC_VARIANT_STOCHASTIC:
        return (total + offset) / divisor;
    case OPTINC_VARIANT_RESIDUAL:
        break;
    }
    return total;
}

uint64_t optinc_reference_digits(const optinc_spec *spec, const uint32_t *digit_sums,
                                 uint64_t offset)
{
    uint64_t total = 0;

    /* s_j <= 3N, so T <= N (4^M - 1) < 2^54. */
    for (uint32_t j = optinc_spec_digits_in(spec); j-- > 0;)
        total = 4 * total + digit_sums[j];
    return optinc_reference_result(spec, total, offset);
}

uint64_t optinc_reference_offset(const optinc_spec *spec, const optinc_stream *stream,
                                 uint64_t element)
{
    uint32_t word[4];

    oi_philox(stream->seed, stream->step, element / 4, OI_PURPOSE_SWITCH_ROUNDING, word);
    return (uint64_t)word[element % 4] >> (32 - spec->divisor_log2);
}
