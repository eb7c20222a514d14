/* SPDX-License-Identifier: Apache-2.0 */
/* The training loop: epochs of steps, evaluation, rollback, checkpoints. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "onn/crew.h"
#include "onn/train_internal.h"

#define ROLLBACKS_MAX 8u
#define EVALUATE_EPOCHS 10u /* at least so often */
#define EVALUATE_SHARE 64u  /* and whenever at most 1 of so many cases was wrong */

static oi_train_tally empty_tally(void)
{
    oi_train_tally tally = {.margin_min = 0.5, .finite = true};

    return tally;
}

/* W of every layer and guide from the parameters. */
static void renew_weights(const oi_trainer *trainer)
{
    const oi_train_plan *plan = trainer->plan;

    for (uint32_t i = 0; i < plan->layer_count + plan->guide_count; i++) {
        const oi_train_layer *layer = &plan->layers[i];
        float *weight = trainer->weight + layer->weight_at;

        if (!layer->on_group)
            memcpy(weight, trainer->state.param + layer->param_at,
                   (size_t)layer->rows * layer->cols * sizeof *weight);
        for (uint32_t j = 0; layer->on_group && j < layer->block_count; j++)
            oi_segment_weight(layer, trainer->state.param, j, weight);
    }
}

/* Each segmented W, where it learns freely, to the nearest diag(d) U. */
static optinc_status project(const oi_trainer *trainer)
{
    const oi_train_plan *plan = trainer->plan;
    size_t area = (size_t)plan->block_side_max * plan->block_side_max;
    double *w = oi_allocate(area, sizeof *w), *u = oi_allocate(area, sizeof *u);
    double *d = oi_allocate(plan->block_side_max, sizeof *d);
    optinc_status status = w && u && d ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    for (uint32_t k = 0; k < plan->layer_count; k++) {
        const oi_train_layer *layer = &plan->layers[k];
        size_t side = layer->side;

        for (uint32_t block = 0; block < layer->block_count && !status; block++) {
            float *from = trainer->state.param + layer->param_at + oi_segment_offset(layer, block);

            for (size_t i = 0; i < side * side; i++)
                w[i] = (double)from[i / side * layer->cols + i % side];
            status = oi_segment_nearest(layer->side, w, side, d, u);
            for (size_t i = 0; i < side * side && !status; i++)
                from[i / side * layer->cols + i % side] = (float)(d[i / side] * u[i]);
        }
    }
    oi_free(d);
    oi_free(u);
    oi_free(w);
    if (!status)
        renew_weights(trainer);
    return status;
}

/* A batch, or a stretch of an evaluation. */
typedef struct train_round {
    oi_trainer *trainer;
    uint64_t first;
    uint64_t count; /* cases of a batch; of an evaluation, all of it */
    oi_train_loss loss;
    oi_adam adam;
} train_round;

static void learn_chunk(void *user, uint32_t index, uint32_t thread)
{
    const train_round *batch = user;
    oi_trainer *trainer = batch->trainer;
    oi_train_worker *worker = &trainer->workers[thread];
    uint32_t at = index * OI_TRAIN_CHUNK;
    uint32_t size = at >= batch->count ? 0 : (uint32_t)batch->count - at;
    const uint64_t *cases = trainer->order + batch->first + at;

    size = size < OI_TRAIN_CHUNK ? size : OI_TRAIN_CHUNK;
    trainer->tallies[index] = empty_tally();
    trainer->contributes[index] = false;
    if (size == 0)
        return;
    oi_train_forward(trainer, worker, cases, size, trainer->state.step, at);
    trainer->contributes[index] =
        oi_train_backward(trainer, worker, cases, size, &batch->loss,
                          trainer->gradient + (size_t)index * trainer->plan->gradient_count,
                          &trainer->tallies[index]);
}

static void update(void *user, uint32_t index, uint32_t thread)
{
    const train_round *batch = user;
    oi_trainer *trainer = batch->trainer;

    oi_train_update(trainer, &trainer->workers[thread], &trainer->plan->tasks[index], &batch->adam);
}

/* One batch; its tally is added to `sum`. */
static void step(oi_trainer *trainer, uint64_t first, uint32_t count, double epoch,
                 oi_train_tally *sum)
{
    const oi_train_plan *plan = trainer->plan;
    const optinc_train_options *options = &plan->options;
    uint64_t number = ++trainer->state.step;
    train_round batch = {
        .trainer = trainer,
        .first = first,
        .count = count,
        .loss = {.squared = trainer->state.epoch < options->squared_epochs,
                 .margin = options->margin,
                 .wrong_weight = options->wrong_weight},
        .adam = oi_adam_at(oi_rate_at(options, epoch) * trainer->state.rate_factor, number)};

    if (options->phase_noise_rad > 0.0)
        for (uint32_t i = 0; i < plan->layer_count; i++)
            oi_noise_phases(trainer, &trainer->workers[0], i, number);
    oi_crew_run(trainer->crew, plan->chunk_count, learn_chunk, &batch);
    oi_crew_run(trainer->crew, plan->task_count, update, &batch);
    for (uint32_t i = 0; i < plan->chunk_count; i++)
        oi_train_tally_add(sum, &trainer->tallies[i]);
}

/* An epoch of steps; ends early where a value is not finite. */
static optinc_status run_epoch(oi_trainer *trainer, oi_train_tally *sum)
{
    const oi_train_plan *plan = trainer->plan;
    uint32_t batch = plan->options.batch_size;
    optinc_status status = OPTINC_OK;

    *sum = empty_tally();
    oi_train_order(trainer);
    for (uint64_t first = 0; first < trainer->order_count && sum->finite && !status;
         first += batch) {
        uint64_t left = trainer->order_count - first;
        double epoch = (double)trainer->state.epoch + (double)first / (double)trainer->order_count;

        step(trainer, first, left < batch ? (uint32_t)left : batch, epoch, sum);
        if (plan->options.segment_training == OPTINC_SEGMENT_PROJECT && sum->finite &&
            (trainer->state.step % plan->options.project_interval == 0 || left <= batch))
            status = project(trainer);
    }
    return status;
}

static void judge_chunk(void *user, uint32_t index, uint32_t thread)
{
    const train_round *stretch = user;
    oi_trainer *trainer = stretch->trainer;
    oi_train_worker *worker = &trainer->workers[thread];
    uint64_t at = stretch->first + (uint64_t)index * OI_TRAIN_CHUNK;
    uint64_t all[OI_TRAIN_CHUNK];
    const uint64_t *cases = trainer->plan->sampled ? trainer->order + at : all;
    uint32_t size = 0;

    for (; size < OI_TRAIN_CHUNK && at + size < stretch->count; size++)
        all[size] = at + size;
    trainer->tallies[index] = empty_tally();
    if (size > 0) {
        oi_train_forward(trainer, worker, cases, size, 0, 0);
        oi_train_judge(trainer, worker, cases, size, &trainer->tallies[index]);
    }
}

/* All cases of the data set (of the epoch's sample) with the weights as they are, no noise. */
static void evaluate(oi_trainer *trainer, oi_train_tally *sum)
{
    const oi_train_plan *plan = trainer->plan;
    train_round stretch = {.trainer = trainer,
                           .count = plan->sampled ? trainer->order_count : plan->case_count};

    renew_weights(trainer);
    *sum = empty_tally();
    for (; stretch.first < stretch.count;
         stretch.first += (uint64_t)plan->chunk_count * OI_TRAIN_CHUNK) {
        oi_crew_run(trainer->crew, plan->chunk_count, judge_chunk, &stretch);
        for (uint32_t i = 0; i < plan->chunk_count; i++)
            oi_train_tally_add(sum, &trainer->tallies[i]);
    }
}

static void keep_best(oi_train_state *state, size_t param_count, const oi_train_tally *tally)
{
    if (tally->wrong > state->best_wrong ||
        (tally->wrong == state->best_wrong && !(tally->margin_min > state->best_margin)))
        return;
    state->best_wrong = tally->wrong;
    state->best_margin = tally->margin_min;
    memcpy(state->best, state->param, param_count * sizeof *state->param);
}

static bool all_finite(const oi_trainer *trainer)
{
    bool finite = true;

    for (size_t i = 0; i < trainer->plan->param_count; i++)
        finite = finite && isfinite(trainer->state.param[i]);
    return finite;
}

/* Back to the epoch's start, at half the rate. */
static optinc_status roll_back(oi_trainer *trainer, uint64_t step_before)
{
    oi_train_state *state = &trainer->state;

    if (++state->rollbacks > ROLLBACKS_MAX)
        return oi_fail(trainer->log, OPTINC_ERR_NON_FINITE,
                       "epoch %llu: values are not finite, %u times at ever lower rates",
                       (unsigned long long)state->epoch + 1, ROLLBACKS_MAX + 1);
    oi_log(trainer->log, OPTINC_LOG_WARNING,
           "epoch %llu: a value is not finite; rolled back, the rate is halved",
           (unsigned long long)state->epoch + 1);
    memcpy(state->param, trainer->snapshot, state->value_count * sizeof *state->param);
    state->step = step_before;
    state->rate_factor *= 0.5;
    renew_weights(trainer);
    return OPTINC_OK;
}

static bool report(const oi_trainer *trainer, const optinc_train_watch *watch,
                   const oi_train_tally *trained, const oi_train_tally *shown, bool evaluated,
                   double seconds, uint64_t epochs_done)
{
    const oi_train_plan *plan = trainer->plan;
    const optinc_train_options *options = &plan->options;
    uint64_t epochs_max = (uint64_t)options->epochs * options->cycles_max;
    optinc_train_report what = {
        .epoch = trainer->state.epoch,
        .epochs_max = epochs_max,
        .step = trainer->state.step,
        .learning_rate =
            oi_rate_at(options, (double)trainer->state.epoch - 0.5) * trainer->state.rate_factor,
        .loss = trained->cases ? trained->loss / (double)trained->cases : 0.0,
        .evaluated = evaluated,
        .cases = shown->cases,
        .wrong = shown->wrong,
        .margin_min = shown->margin_min,
        .seconds = seconds,
        .eta_s = seconds / (double)epochs_done * (double)(epochs_max - trainer->state.epoch)};

    if (!watch || !watch->report)
        return true;
    memcpy(what.wrong_by_digit, shown->wrong_by_digit, sizeof what.wrong_by_digit);
    if (evaluated)
        what.orthogonality_max = oi_segment_orthogonality(plan, trainer->state.param);
    return watch->report(watch->user, &what);
}

/* Whether training is over: all right by enough, or out of epochs; a further cycle is only for
 * cases that are still wrong. */
static bool over(const oi_trainer *trainer, bool evaluated, const oi_train_tally *tally)
{
    const optinc_train_options *options = &trainer->plan->options;
    const oi_train_state *state = &trainer->state;
    bool noisy = options->unit_noise > 0.0 || options->phase_noise_rad > 0.0;
    bool cycle_ends = state->epoch % options->epochs == 0;

    if (evaluated && !noisy && !trainer->plan->sampled && tally->wrong == 0 &&
        tally->margin_min >= options->margin_stop)
        return true;
    if (state->epoch >= (uint64_t)options->epochs * options->cycles_max)
        return true;
    return cycle_ends && state->best_wrong == 0 && !trainer->plan->sampled;
}

/* One epoch with all that belongs to it. */
static optinc_status do_epoch(oi_trainer *trainer, oi_train_tally *trained, oi_train_tally *shown,
                              bool *evaluated)
{
    oi_train_state *state = &trainer->state;
    const optinc_train_options *options = &trainer->plan->options;
    uint64_t step_before = state->step;
    optinc_status status;

    memcpy(trainer->snapshot, state->param, state->value_count * sizeof *state->param);
    for (;;) {
        status = run_epoch(trainer, trained);
        if (status)
            return status;
        /* The last step's outcome shows in the next forward pass, so look at it here. */
        if (trained->finite && all_finite(trainer))
            break;
        if ((status = roll_back(trainer, step_before)))
            return status;
    }
    state->epoch++;
    *evaluated = trained->wrong * EVALUATE_SHARE <= trained->cases ||
                 state->epoch % EVALUATE_EPOCHS == 0 || state->epoch % options->epochs == 0;
    *shown = *trained;
    if (*evaluated) {
        evaluate(trainer, shown);
        keep_best(state, trainer->plan->param_count, shown);
    }
    state->finished = over(trainer, *evaluated, shown);
    return options->hard_cases > 0 ? oi_train_hard_keep(trainer) : OPTINC_OK;
}

optinc_status oi_train_run(oi_trainer *trainer, const optinc_train_watch *watch)
{
    const optinc_train_options *options = &trainer->plan->options;
    oi_train_state *state = &trainer->state;
    double start = oi_train_clock(CLOCK_MONOTONIC);
    uint64_t epoch_first = state->epoch;
    optinc_status status = OPTINC_OK;

    renew_weights(trainer);
    while (!state->finished && !status) {
        oi_train_tally trained, shown;
        bool evaluated, stop;

        if ((status = do_epoch(trainer, &trained, &shown, &evaluated)))
            return status;
        stop = !report(trainer, watch, &trained, &shown, evaluated,
                       oi_train_clock(CLOCK_MONOTONIC) - start, state->epoch - epoch_first);
        if (options->checkpoint &&
            (stop || state->finished ||
             (options->checkpoint_interval && state->epoch % options->checkpoint_interval == 0)))
            status = oi_checkpoint_save(trainer);
        if (!status && stop && !state->finished)
            status = OPTINC_ERR_INTERRUPTED;
    }
    return status;
}
