/* SPDX-License-Identifier: Apache-2.0 */
#include "onn/stages.h"

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* 4^(L-i) - 1, or OI_STAGE_VALUE_MAX where that is larger */
static uint32_t value_limit(const oi_stages *stages, uint32_t stage)
{
    uint32_t left = stages->count - stage;

    return left > 4 ? OI_STAGE_VALUE_MAX : ((uint32_t)1 << (2 * left)) - 1;
}

void oi_stages_of(const optinc_spec *spec, oi_stages *stages)
{
    bool stochastic = spec->variant == OPTINC_VARIANT_STOCHASTIC;
    uint64_t divisor = (uint64_t)1 << spec->divisor_log2;
    uint64_t offset; /* c times the largest offset */
    uint32_t carry = 0;

    *stages =
        (oi_stages){.first_out = (spec->divisor_log2 + 1) / 2, .gain = 1 + spec->divisor_log2 % 2};
    stages->count = stages->first_out + optinc_spec_digits_out(spec);
    stages->digits_in = min_u32(optinc_spec_digits_in(spec), stages->count);
    /* c u < c D = 4^q has q digits, each of them free, but for c = 2 the lowest one is even. */
    offset = stages->gain * (stochastic ? divisor - 1 : divisor / 2);
    for (uint32_t i = 0; i < stages->count; i++) {
        uint32_t limit = value_limit(stages, i);

        if (i < stages->digits_in)
            stages->sum_max[i] = min_u32(3 * spec->ports, limit / stages->gain);
        if (i < stages->first_out) {
            stages->offset[i] = (uint32_t)(offset >> (2 * i)) & 3;
            if (stochastic)
                stages->offset_step[i] = i == 0 ? stages->gain : 1;
        }
        /* All terms grow with the digit sums, so their largest values come together. */
        stages->value_max[i] =
            min_u32(stages->gain * stages->sum_max[i] + carry + stages->offset[i], limit);
        carry = stages->value_max[i] / 4;
    }
}
