/* SPDX-License-Identifier: Apache-2.0 */
/* optinc_train: memory, clocks, and the way from a spec to a design. */
#include "optinc/train.h"

#include <cblas.h>
#include <math.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "onn/crew.h"
#include "onn/train_internal.h"

double oi_train_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void workers_destroy(oi_trainer *trainer)
{
    for (uint32_t i = 0; trainer->workers && i < trainer->plan->thread_count; i++) {
        oi_train_worker *worker = &trainer->workers[i];

        oi_free(worker->activation);
        oi_free(worker->guide_slope);
        oi_free(worker->delta[0]);
        oi_free(worker->delta[1]);
        for (int j = 0; j < 3; j++)
            oi_free(worker->block[j]);
    }
    oi_free(trainer->workers);
}

static optinc_status workers_create(oi_trainer *trainer)
{
    const oi_train_plan *plan = trainer->plan;
    size_t area = (size_t)plan->block_side_max * plan->block_side_max;
    size_t side = plan->side_max < plan->block_side_max ? plan->block_side_max : plan->side_max;
    optinc_status status;

    status = oi_crew_create(plan->thread_count, trainer->log, &trainer->crew);
    if (status)
        return status;
    trainer->workers = oi_allocate(plan->thread_count, sizeof *trainer->workers);
    if (!trainer->workers)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < plan->thread_count; i++) {
        oi_train_worker *worker = &trainer->workers[i];
        bool good = (worker->activation = oi_allocate(plan->activation_count, sizeof(float)));

        good = good && (worker->guide_slope = oi_allocate(plan->guide_slope_count, sizeof(float)));
        for (int j = 0; j < 2; j++)
            good = (worker->delta[j] = oi_allocate(OI_TRAIN_CHUNK * side, sizeof(float))) && good;
        for (int j = 0; j < 3; j++)
            good = (worker->block[j] = oi_allocate(area, sizeof(float))) && good;
        if (!good)
            return OPTINC_ERR_OUT_OF_MEMORY;
    }
    return OPTINC_OK;
}

void oi_trainer_destroy(oi_trainer *trainer)
{
    oi_crew_free(trainer->crew);
    workers_destroy(trainer);
    oi_free(trainer->order);
    oi_free(trainer->order_error);
    oi_free(trainer->tallies);
    oi_free(trainer->contributes);
    oi_free(trainer->gradient);
    oi_free(trainer->weight);
    oi_free(trainer->snapshot);
    oi_free(trainer->state.param);
}

/* Everything is zero; owned by the trainer, freed by oi_trainer_destroy whatever the outcome. */
optinc_status oi_trainer_create(oi_trainer *trainer)
{
    const oi_train_plan *plan = trainer->plan;
    oi_train_state *state = &trainer->state;
    size_t errors = plan->options.visit_interval > 1 ? (size_t)plan->case_count : 0;
    size_t hard = (size_t)plan->options.hard_cases * plan->group_count;
    size_t gradients;

    state->value_count = 4 * plan->param_count + plan->drift_count + errors + hard;
    if (!oi_size_multiply(plan->chunk_count, plan->gradient_count, &gradients))
        return OPTINC_ERR_OVERFLOW;
    state->param = oi_allocate(state->value_count, sizeof *state->param);
    trainer->snapshot = oi_allocate(state->value_count, sizeof *trainer->snapshot);
    trainer->weight = oi_allocate(plan->weight_count, sizeof *trainer->weight);
    trainer->gradient = oi_allocate(gradients, sizeof *trainer->gradient);
    trainer->contributes = oi_allocate(plan->chunk_count, sizeof *trainer->contributes);
    trainer->tallies = oi_allocate(plan->chunk_count, sizeof *trainer->tallies);
    trainer->order = oi_allocate((size_t)plan->epoch_cases, sizeof *trainer->order);
    if (hard)
        trainer->order_error = oi_allocate((size_t)plan->epoch_cases, sizeof(float));
    if (!state->param || !trainer->snapshot || !trainer->weight || !trainer->gradient ||
        !trainer->contributes || !trainer->tallies || !trainer->order ||
        (hard && !trainer->order_error))
        return OPTINC_ERR_OUT_OF_MEMORY;
    state->first = state->param + plan->param_count;
    state->second = state->first + plan->param_count;
    state->best = state->second + plan->param_count;
    state->drift = state->best + plan->param_count;
    state->case_error = errors ? state->drift + plan->drift_count : NULL;
    for (size_t i = 0; i < errors; i++)
        state->case_error[i] = INFINITY;
    state->hard = hard ? state->drift + plan->drift_count + errors : NULL;
    oi_train_hard_first(trainer);
    state->best_wrong = UINT64_MAX;
    state->best_margin = -INFINITY;
    state->rate_factor = 1.0;
    return workers_create(trainer);
}

/* Trains; the parameters that did best are in trainer->state.best. */
static optinc_status train(oi_trainer *trainer, const optinc_train_watch *watch,
                           optinc_train_result *result)
{
    int blas_threads = openblas_get_num_threads();
    double start = oi_train_clock(CLOCK_MONOTONIC), cpu = oi_train_clock(CLOCK_PROCESS_CPUTIME_ID);
    optinc_status status = oi_trainer_create(trainer);

    if (status)
        return status;
    openblas_set_num_threads(1);
    status = trainer->plan->options.resume
                 ? oi_checkpoint_load(trainer)
                 : oi_train_initialise(trainer->plan, trainer->state.param);
    if (!status) {
        status = oi_train_run(trainer, watch);
    }
    openblas_set_num_threads(blas_threads);
    result->epochs = trainer->state.epoch;
    result->steps = trainer->state.step;
    result->rollbacks = trainer->state.rollbacks;
    result->train_seconds = oi_train_clock(CLOCK_MONOTONIC) - start;
    result->train_cpu_seconds = oi_train_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return status;
}

optinc_status optinc_train(const optinc_spec *spec, const optinc_train_options *options,
                           const optinc_train_watch *watch, const optinc_log *log,
                           optinc_train_result *result, optinc_design **design)
{
    oi_train_plan plan;
    oi_trainer trainer = {.plan = &plan, .log = log};
    optinc_train_result found = {0};
    optinc_status status;

    if (!design)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no place for the design");
    *design = NULL;
    status = oi_train_plan_create(spec, options, log, &plan);
    if (status)
        goto out;
    if ((status = optinc_preprocessing_of(spec, options->input_merge, log, &found.preprocessing)) ||
        (status = optinc_train_cost_of(spec, options, log, &found.cost)) ||
        (status = train(&trainer, watch, &found)) ||
        (status =
             oi_train_export(&plan, trainer.state.best, log, &found.orthogonality_max, design)))
        goto out;
    status = oi_train_verify(&plan, log, &found, *design);
    if (status)
        optinc_design_destroy(design);
out:
    /* also of a run that was interrupted: epochs and steps so far */
    if (result)
        *result = found;
    oi_trainer_destroy(&trainer);
    oi_train_plan_destroy(&plan);
    return status;
}
