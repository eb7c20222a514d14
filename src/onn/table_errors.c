/* SPDX-License-Identifier: Apache-2.0 */
/* Designs that err at a known rate: what a training run pays for an imperfect switch. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/philox.h"
#include "onn/train_internal.h"

#define CASES_MAX ((uint64_t)1 << 24)

static uint32_t reference_answer(const optinc_spec *spec, uint64_t index)
{
    uint32_t sums[OPTINC_TRAIN_DIGITS_MAX];

    optinc_case_digit_sums(spec, index, sums);
    return (uint32_t)optinc_reference_digits(spec, sums, 0);
}

/* One digit of r moved by one level, at the ends the only way there is. */
static uint32_t disturb(uint32_t r, const uint32_t word[4], const double *weight, uint32_t digits)
{
    double sum = 0.0, point;
    uint32_t digit = 0, level;

    for (uint32_t i = 0; i < digits; i++)
        sum += weight ? weight[i] : 1.0;
    point = sum * oi_uniform_double(word[0], word[1]);
    for (digit = 0; digit + 1 < digits; digit++) {
        point -= weight ? weight[digit] : 1.0;
        if (point < 0.0)
            break;
    }
    level = r >> (2 * digit) & 3;
    if (level == 0 || (level < 3 && (word[2] & 1)))
        return r + (1u << (2 * digit));
    return r - (1u << (2 * digit));
}

static optinc_status check(const optinc_unit *unit, double rate, const double *weight,
                           const optinc_log *log)
{
    double sum = 0.0;

    if (!(rate >= 0.0 && rate <= 1.0))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "error rate %g, expected in [0, 1]", rate);
    if (unit->spec.variant == OPTINC_VARIANT_STOCHASTIC || unit->spec.bits_out > 32)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                       "errors are for half-up and residual switches of at most 32 bits out");
    if (!unit->table && unit->proof.kind != OPTINC_PROOF_NONE && !unit->proof.exact)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                       "the level is not exact by its proof and has no table: which cases it "
                       "answers wrongly is not known");
    if (!unit->table && optinc_spec_case_count(&unit->spec) > CASES_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW, "the design has more than 2^24 cases");
    for (uint32_t i = 0; weight && i < unit->spec.bits_out / 2; i++) {
        if (!(weight[i] >= 0.0 && weight[i] < 1e300))
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "digit %u: weight %g, expected 0 ..",
                           i, weight[i]);
        sum += weight[i];
    }
    if (weight && !(sum > 0.0))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "the digits' weights are all 0");
    return OPTINC_OK;
}

optinc_status optinc_design_inject_errors(optinc_design *design, uint32_t level, double rate,
                                          const double *digit_weight, uint64_t seed,
                                          const optinc_log *log, uint64_t *errors)
{
    const optinc_unit *unit = design ? optinc_design_unit(design, level) : NULL;
    optinc_proof proof = {.kind = OPTINC_PROOF_EXHAUSTIVE, .margin_min = NAN, .error_bound = NAN};
    uint64_t left, count;
    uint32_t *table;
    optinc_status status;

    if (!unit)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no design, or no level %u", level);
    if ((status = check(unit, rate, digit_weight, log)))
        return status;
    count = optinc_spec_case_count(&unit->spec);
    left = (uint64_t)(rate * (double)count + 0.5);
    table = oi_allocate((size_t)count, sizeof *table);
    if (!table)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t word[4], wanted = reference_answer(&unit->spec, i);

        /* Selection sampling (Knuth, 3.4.2 S): exactly `left` of the cases that remain. */
        oi_philox(seed, level, i, OI_PURPOSE_SAMPLE, word);
        table[i] = unit->table ? unit->table[i] : wanted;
        if (oi_uniform_float(word[3]) * (double)(count - i) < (double)left) {
            table[i] = disturb(wanted, word, digit_weight, unit->spec.bits_out / 2);
            left--;
        }
        proof.errors += table[i] != wanted;
    }
    proof.cases = count;
    proof.exact = proof.errors == 0;
    if (errors)
        *errors = proof.errors;
    status = optinc_design_set_table(design, level, table, (size_t)count);
    if (!status)
        status = optinc_design_set_proof(design, level, &proof);
    oi_free(table);
    return status;
}
