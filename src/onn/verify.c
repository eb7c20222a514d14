/* SPDX-License-Identifier: Apache-2.0 */
/* Which proofs a unit can have, and which of them its design may carry. */
#include "base/log.h"
#include "base/threads.h"
#include "onn/prove.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define EXHAUSTIVE_CASES_MAX ((uint64_t)1 << 28)
#define SAMPLE_COUNT 1000000u
#define CHECKPOINT_SECONDS 30.0

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What is to be verified, and how. */
typedef struct task {
    const optinc_unit *unit;
    optinc_verify_options options;
    oi_case_checkpoint checkpoint;
    const optinc_progress *progress;
    const optinc_log *log;
} task;

/* Runs all cases or random ones, with what they gave as a proof. */
static optinc_status run_proof(const task *work, const oi_case_range *range,
                               optinc_verify_result *result, optinc_proof *proof)
{
    oi_case_tally tally;
    double start = seconds_now();
    optinc_status status = oi_run_cases(work->unit, range, work->options.thread_count,
                                        work->options.checkpoint ? &work->checkpoint : NULL,
                                        work->progress, work->log, &tally);

    result->cases_done = tally.done;
    if (status != OPTINC_OK)
        return status;
    result->seconds = tally.seconds - (seconds_now() - start);
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

static optinc_status verify(const task *work, optinc_verify_result *result)
{
    const optinc_unit *unit = work->unit;
    oi_case_range range = {.count = oi_case_count(&unit->spec), .seed = work->options.seed};
    optinc_status status;

    if (unit->method == OPTINC_METHOD_CONSTRUCTED) {
        status = oi_prove_stages(unit, work->log, &result->compositional);
        if (status == OPTINC_ERR_UNSUPPORTED)
            result->compositional = (optinc_proof){.error_bound = NAN};
        else if (status != OPTINC_OK)
            return status;
    }
    if (range.count <= work->options.exhaustive_cases_max)
        return run_proof(work, &range, result, &result->exhaustive);
    if (result->compositional.exact)
        return OPTINC_OK;
    range.random = true;
    range.count = work->options.sample_count;
    return run_proof(work, &range, result, &result->sampled);
}

/* The options with their defaults; OPTINC_ERR_INVALID_ARGUMENT for what they cannot be. */
static optinc_status plan(const optinc_design *design, uint32_t level,
                          const optinc_verify_options *options, task *work)
{
    optinc_status status;

    if (options)
        work->options = *options;
    if (work->options.exhaustive_cases_max == 0)
        work->options.exhaustive_cases_max = EXHAUSTIVE_CASES_MAX;
    if (work->options.sample_count == 0)
        work->options.sample_count = SAMPLE_COUNT;
    if (!(work->options.checkpoint_interval_s >= 0))
        return oi_fail(work->log, OPTINC_ERR_INVALID_ARGUMENT,
                       "checkpoint_interval_s is %g, expected at least 0",
                       work->options.checkpoint_interval_s);
    status = oi_threads_check(work->options.thread_count, work->log);
    if (status)
        return status;
    if (work->options.resume && !work->options.checkpoint)
        return oi_fail(work->log, OPTINC_ERR_INVALID_ARGUMENT, "no checkpoint to resume from");
    work->checkpoint = (oi_case_checkpoint){.path = work->options.checkpoint,
                                            .interval_s = work->options.checkpoint_interval_s,
                                            .required = work->options.resume,
                                            .level = level};
    if (work->checkpoint.interval_s == 0)
        work->checkpoint.interval_s = CHECKPOINT_SECONDS;
    if (work->checkpoint.path)
        work->checkpoint.design_checksum = optinc_design_checksum(design);
    return OPTINC_OK;
}

optinc_status optinc_verify(const optinc_design *design, uint32_t level,
                            const optinc_verify_options *options, const optinc_progress *progress,
                            const optinc_log *log, optinc_verify_result *result)
{
    task work = {.progress = progress, .log = log};
    double start = seconds_now();
    optinc_status status;

    if (!design || !result)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design or result is NULL");
    *result = (optinc_verify_result){.exhaustive = {.error_bound = NAN},
                                     .compositional = {.error_bound = NAN},
                                     .sampled = {.error_bound = NAN},
                                     .best = {.error_bound = NAN}};
    work.unit = optinc_design_unit(design, level);
    if (!work.unit)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "level is %u, expected below %u", level,
                       optinc_design_level_count(design));
    if (work.unit->layer_count == 0)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "level %u has no layers to verify", level);
    status = plan(design, level, options, &work);
    if (status == OPTINC_OK)
        status = verify(&work, result);
    if (status != OPTINC_OK)
        return status;
    choose_best(result);
    result->seconds += seconds_now() - start;
    return OPTINC_OK;
}
