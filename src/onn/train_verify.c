/* SPDX-License-Identifier: Apache-2.0 */
/* Every vector of (merged) inputs through the design's layers in double precision. A trained ONN
 * sees nothing but its inputs, so with merged digits fewer vectors cover every digit-sum case. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "onn/forward.h"
#include "onn/train_internal.h"

typedef struct verifier {
    const oi_train_plan *plan;
    oi_network network;
    size_t scratch_count;
    double *scratch;   /* [threads][scratch_count] */
    uint32_t *answers; /* [case_count] r that the ONN gives; NULL: not kept */
} verifier;

/* Digit sums that P merges into the case's values: one choice of many, all the same to the ONN.
 * The highest digit takes what it can, 3N at most; what is left then fits below, since
 * N (4^k - 1) = 3N 4^(k-1) + N (4^(k-1) - 1). */
static void representative(const oi_train_plan *plan, uint64_t index, uint32_t element,
                           uint32_t *sums)
{
    for (uint32_t i = 0; i < plan->group_count; i++) {
        const oi_train_group *group = &plan->groups[i];
        uint64_t value = index % group->states;

        index /= group->states;
        for (uint32_t k = group->digit_count; k-- > 0;) {
            uint64_t digit = value >> (2 * k);

            digit = digit < 3u * plan->spec.ports ? digit : 3u * plan->spec.ports;
            value -= digit << (2 * k);
            sums[(size_t)(group->digit_first + k) * OI_TILE + element] = (uint32_t)digit;
        }
    }
}

/* The answer to one case of a tile, y [digits][OI_TILE], as the receiver slices it. */
static uint64_t slice(const oi_train_plan *plan, const double *y)
{
    uint64_t answer = 0;

    for (uint32_t j = 0; j < plan->output_count; j++)
        answer |= (uint64_t)oi_slice(y[(size_t)j * OI_TILE]) << (2 * j);
    return answer;
}

/* Tally of one case. */
static void judge(const oi_train_plan *plan, const double *y, const uint8_t *digits,
                  oi_train_tally *tally)
{
    bool wrong = false;

    for (uint32_t j = 0; j < plan->output_count; j++) {
        double value = y[(size_t)j * OI_TILE];
        uint32_t sliced = oi_slice(value);
        double low = digits[j] > 0 ? value - (digits[j] - 0.5) : INFINITY;
        double high = digits[j] < 3 ? digits[j] + 0.5 - value : INFINITY;
        double margin = low < high ? low : high;

        wrong = wrong || sliced != digits[j];
        tally->wrong_by_digit[j] += sliced != digits[j];
        tally->finite = tally->finite && isfinite(value);
        if (margin < tally->margin_min)
            tally->margin_min = margin;
    }
    tally->cases++;
    tally->wrong += wrong;
}

static void verify_tile(const verifier *state, double *scratch, uint64_t first,
                        oi_train_tally *tally)
{
    const oi_train_plan *plan = state->plan;
    uint64_t left = plan->case_count - first;
    uint32_t count = left < OI_TILE ? (uint32_t)left : OI_TILE;
    uint32_t sums[OPTINC_TRAIN_DIGITS_MAX * OI_TILE] = {0};
    const double *y;

    for (uint32_t i = 0; i < count; i++)
        representative(plan, first + i, i, sums);
    y = oi_network_run(&state->network, sums, scratch);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t digits[OPTINC_TRAIN_DIGITS_MAX];

        if (oi_train_case_digits(plan, first + i, digits))
            judge(plan, y + i, digits, tally);
        if (state->answers)
            state->answers[first + i] = (uint32_t)slice(plan, y + i);
    }
}

static void verify_all(const verifier *state, oi_train_tally *sum)
{
    const oi_train_plan *plan = state->plan;
    uint64_t tiles = (plan->case_count + OI_TILE - 1) / OI_TILE;

#pragma omp parallel num_threads(plan->thread_count)
    {
        oi_train_tally tally = {.margin_min = INFINITY, .finite = true};

#pragma omp for schedule(dynamic, 16)
        for (uint64_t i = 0; i < tiles; i++)
            verify_tile(state, state->scratch + (size_t)omp_get_thread_num() * state->scratch_count,
                        i * OI_TILE, &tally);
#pragma omp critical
        oi_train_tally_add(sum, &tally);
    }
}

/* The table is by digit-sum case; merged inputs are found from its digits. */
static optinc_status set_table(const oi_train_plan *plan, const uint32_t *answers,
                               optinc_design *design)
{
    size_t count = (size_t)optinc_spec_case_count(&plan->spec);
    uint32_t *table = oi_allocate(count, sizeof *table);
    optinc_status status;

    if (!table)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; i++) {
        uint32_t sums[OPTINC_TRAIN_DIGITS_MAX];
        uint64_t index = 0, stride = 1;

        optinc_case_digit_sums(&plan->spec, i, sums);
        for (uint32_t j = 0; j < plan->group_count; j++) {
            const oi_train_group *group = &plan->groups[j];

            for (uint32_t k = 0; k < group->digit_count; k++)
                index += stride * ((uint64_t)sums[group->digit_first + k] << (2 * k));
            stride *= group->states;
        }
        table[i] = answers[index];
    }
    status = optinc_design_set_table(design, 0, table, count);
    oi_free(table);
    return status;
}

static optinc_status verify_exhaustively(const oi_train_plan *plan, const optinc_log *log,
                                         optinc_train_result *result, optinc_design *design)
{
    verifier state = {.plan = plan};
    oi_train_tally sum = {.margin_min = 0.5, .finite = true};
    bool tabulate = optinc_spec_case_count(&plan->spec) <= plan->options.table_cases_max &&
                    plan->spec.bits_out <= 32;
    size_t count;
    optinc_status status =
        oi_network_init(optinc_design_unit(design, 0), OPTINC_KERNEL_AUTO, log, &state.network);

    if (status)
        return status;
    state.scratch_count = oi_network_scratch_count(&state.network);
    if (state.scratch_count == 0 ||
        !oi_size_multiply(state.scratch_count, plan->thread_count, &count))
        return OPTINC_ERR_OVERFLOW;
    state.scratch = oi_allocate(count, sizeof *state.scratch);
    if (tabulate)
        state.answers = oi_allocate((size_t)plan->case_count, sizeof *state.answers);
    if (!state.scratch || (tabulate && !state.answers)) {
        status = OPTINC_ERR_OUT_OF_MEMORY;
        goto out;
    }
    verify_all(&state, &sum);
    memcpy(result->wrong_by_digit, sum.wrong_by_digit, sizeof result->wrong_by_digit);
    result->proof = (optinc_proof){.kind = OPTINC_PROOF_EXHAUSTIVE,
                                   .exact = sum.wrong == 0,
                                   .cases = sum.cases,
                                   .errors = sum.wrong,
                                   .margin_min = sum.wrong > 0 ? 0.0 : sum.margin_min,
                                   .error_bound = NAN};
    if (!sum.finite)
        status = OPTINC_ERR_NON_FINITE;
    else if (tabulate)
        status = set_table(plan, state.answers, design);
out:
    oi_free(state.answers);
    oi_free(state.scratch);
    return status;
}

optinc_status oi_train_verify(const oi_train_plan *plan, const optinc_log *log,
                              optinc_train_result *result, optinc_design *design)
{
    const optinc_train_options *options = &plan->options;
    uint64_t cases_max = options->verify_cases_max ? options->verify_cases_max : (uint64_t)1 << 28;
    double start = oi_train_clock(CLOCK_MONOTONIC);
    optinc_status status;

    if (plan->case_count <= cases_max) {
        status = verify_exhaustively(plan, log, result, design);
    } else {
        optinc_verify_options how = {.exhaustive_cases_max = cases_max,
                                     .sample_count = options->verify_samples,
                                     .seed = options->seed,
                                     .thread_count = plan->thread_count};
        optinc_verify_result found;

        status = optinc_verify(design, 0, &how, NULL, log, &found);
        if (!status) {
            result->proof = found.best;
            memcpy(result->wrong_by_digit, found.digit_errors, sizeof result->wrong_by_digit);
        }
    }
    if (!status)
        status = optinc_design_set_proof(design, 0, &result->proof);
    result->verify_seconds = oi_train_clock(CLOCK_MONOTONIC) - start;
    return status;
}
