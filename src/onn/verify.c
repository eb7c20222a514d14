/* SPDX-License-Identifier: Apache-2.0 */
/* Which proofs a unit can have, and which of them its design may carry. */
#include "base/log.h"
#include "onn/prove.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define EXHAUSTIVE_CASES_MAX ((uint64_t)1 << 28)
#define SAMPLE_COUNT 1000000u

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Runs all cases or random ones, with what they gave as a proof. */
static optinc_status run_proof(const optinc_unit *unit, const oi_case_range *range,
                               uint32_t thread_count, const optinc_progress *progress,
                               const optinc_log *log, optinc_verify_result *result,
                               optinc_proof *proof)
{
    oi_case_tally tally;
    optinc_status status = oi_run_cases(unit, range, thread_count, progress, log, &tally);

    if (status != OPTINC_OK)
        return status;
    *proof = (optinc_proof){.kind = range->random ? OPTINC_PROOF_SAMPLED : OPTINC_PROOF_EXHAUSTIVE,
                            .exact = !range->random && tally.errors == 0,
                            .cases = tally.cases,
                            .errors = tally.errors,
                            .margin_min = tally.margin_min,
                            .error_bound = NAN};
    if (range->random)
        proof->error_bound =
            tally.cases > 0 ? oi_clopper_pearson_upper(tally.errors, tally.cases) : 1;
    memcpy(result->digit_errors, tally.digit_errors, sizeof result->digit_errors);
    return OPTINC_OK;
}

/* Exhaustion says most; it sees the receiver's margins only, so the steps' come from the proof by
 * stages. Where that one failed it may have been too careful, which does not touch the other. */
static void choose_best(optinc_verify_result *result)
{
    const optinc_proof *stages = &result->compositional;

    if (result->exhaustive.kind != OPTINC_PROOF_NONE) {
        result->best = result->exhaustive;
        if (stages->kind != OPTINC_PROOF_NONE && stages->exact)
            result->best.margin_min = fmin(result->best.margin_min, stages->margin_min);
    } else if (stages->kind != OPTINC_PROOF_NONE &&
               (stages->exact || result->sampled.kind == OPTINC_PROOF_NONE)) {
        result->best = *stages;
    } else {
        result->best = result->sampled;
    }
}

static optinc_status verify(const optinc_unit *unit, const optinc_verify_options *options,
                            const optinc_progress *progress, const optinc_log *log,
                            optinc_verify_result *result)
{
    oi_case_range range = {.count = oi_case_count(&unit->spec), .seed = options->seed};
    optinc_status status;

    if (unit->method == OPTINC_METHOD_CONSTRUCTED) {
        status = oi_prove_stages(unit, log, &result->compositional);
        if (status == OPTINC_ERR_UNSUPPORTED)
            result->compositional = (optinc_proof){.error_bound = NAN};
        else if (status != OPTINC_OK)
            return status;
    }
    if (range.count <= options->exhaustive_cases_max)
        return run_proof(unit, &range, options->thread_count, progress, log, result,
                         &result->exhaustive);
    if (result->compositional.exact)
        return OPTINC_OK;
    range.random = true;
    range.count = options->sample_count;
    return run_proof(unit, &range, options->thread_count, progress, log, result, &result->sampled);
}

optinc_status optinc_verify(const optinc_design *design, uint32_t level,
                            const optinc_verify_options *options, const optinc_progress *progress,
                            const optinc_log *log, optinc_verify_result *result)
{
    optinc_verify_options chosen = {.exhaustive_cases_max = 0};
    const optinc_unit *unit;
    double start = seconds_now();
    optinc_status status;

    if (!design || !result)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design or result is NULL");
    *result = (optinc_verify_result){.exhaustive = {.error_bound = NAN},
                                     .compositional = {.error_bound = NAN},
                                     .sampled = {.error_bound = NAN},
                                     .best = {.error_bound = NAN}};
    unit = optinc_design_unit(design, level);
    if (!unit)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "level is %u, expected below %u", level,
                       optinc_design_level_count(design));
    if (unit->layer_count == 0)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "level %u has no layers to verify", level);
    if (options)
        chosen = *options;
    if (chosen.exhaustive_cases_max == 0)
        chosen.exhaustive_cases_max = EXHAUSTIVE_CASES_MAX;
    if (chosen.sample_count == 0)
        chosen.sample_count = SAMPLE_COUNT;
    status = verify(unit, &chosen, progress, log, result);
    if (status != OPTINC_OK)
        return status;
    choose_best(result);
    result->seconds = seconds_now() - start;
    return OPTINC_OK;
}
