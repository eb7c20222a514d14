/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what is asked of the trainer and lays the network out in memory. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "onn/train_internal.h"

#define TASK_ROWS 32u /* of a free matrix, in one piece of the update */
#define EPOCH_CASES_MAX ((uint64_t)1 << 26)

optinc_train_options optinc_train_options_default(void)
{
    optinc_train_options options = {.input_merge = 1,
                                    .activation = OPTINC_ACTIVATION_RELU,
                                    .segment_training = OPTINC_SEGMENT_TANGENT,
                                    .batch_size = 1024,
                                    .epochs = 120,
                                    .cycles_max = 3,
                                    .squared_epochs = 10,
                                    .project_interval = 7,
                                    .visit_interval = 1,
                                    .learning_rate = 1.2e-2,
                                    .margin = 0.25,
                                    .margin_stop = 0.1,
                                    .wrong_weight = 1.0,
                                    .seed = 1,
                                    .table_cases_max = (uint64_t)1 << 24};

    return options;
}

/* Negated comparisons, so that NaN fails. */
static optinc_status check_numbers(const optinc_train_options *options, const optinc_log *log)
{
    if (!(options->learning_rate > 0.0 && options->learning_rate <= 1.0))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "learning rate %g, expected in (0, 1]",
                       options->learning_rate);
    if (!(options->margin > 0.0 && options->margin < 0.5))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "margin %g, expected in (0, 0.5)",
                       options->margin);
    if (!(options->margin_stop > 0.0))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "stopping margin %g, expected above 0",
                       options->margin_stop);
    if (!(options->wrong_weight >= 1.0 && options->wrong_weight <= 1e6))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "weight %g of wrong cases, expected 1 ..",
                       options->wrong_weight);
    if (!(options->unit_noise >= 0.0 && options->unit_noise <= 1.0))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "unit noise %g, expected in [0, 1]",
                       options->unit_noise);
    if (!(options->phase_noise_rad >= 0.0 && options->phase_noise_rad <= 1.0))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "phase noise %g rad, expected in [0, 1]",
                       options->phase_noise_rad);
    return OPTINC_OK;
}

static optinc_status check_options(const optinc_train_options *options, const optinc_log *log)
{
    if (options->layer_count < 1 || options->layer_count > OPTINC_TRAIN_LAYERS_MAX ||
        !options->sides)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%u layers, expected 1 .. %u",
                       options->layer_count, OPTINC_TRAIN_LAYERS_MAX);
    if (options->activation != OPTINC_ACTIVATION_RELU &&
        options->activation != OPTINC_ACTIVATION_SATURATING)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "activation %d, expected relu or saturating", (int)options->activation);
    if (options->segment_training != OPTINC_SEGMENT_TANGENT &&
        options->segment_training != OPTINC_SEGMENT_PROJECT)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "segment training %d, expected tangent or project",
                       (int)options->segment_training);
    if (options->supervision != OPTINC_SUPERVISION_OUTPUTS &&
        options->supervision != OPTINC_SUPERVISION_CARRIES)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "supervision %d, expected outputs or carries", (int)options->supervision);
    if (options->start != OPTINC_TRAIN_START_HAAR && options->start != OPTINC_TRAIN_START_AXES)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "start %d, expected haar or axes",
                       (int)options->start);
    if (options->batch_size < 1 || options->batch_size > 1u << 20)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "batch of %u cases, expected 1 .. 2^20",
                       options->batch_size);
    if (options->epochs < 1 || options->epochs > 1u << 24 || options->cycles_max < 1 ||
        options->cycles_max > 64)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%u epochs, %u cycles, expected 1 .. 2^24 and 1 .. 64", options->epochs,
                       options->cycles_max);
    if (options->project_interval < 1 || options->visit_interval < 1)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "projection or visit interval 0, expected 1 or more");
    if (options->resume && !options->checkpoint)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no checkpoint to resume from");
    return check_numbers(options, log);
}

static optinc_status plan_groups(oi_train_plan *plan, uint32_t merge, const optinc_log *log)
{
    uint32_t digits = optinc_spec_digits_in(&plan->spec);

    if (merge < 1 || merge > digits)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%u digits merged, expected 1 .. %u",
                       merge, digits);
    plan->case_count = 1;
    plan->group_count = 0;
    for (uint32_t first = 0; first < digits; first += merge) {
        oi_train_group *group = &plan->groups[plan->group_count++];
        uint64_t count = digits - first < merge ? digits - first : merge;
        uint64_t top = ((uint64_t)1 << (2 * count)) - 1;

        *group =
            (oi_train_group){first, (uint32_t)count, plan->spec.ports * top + 1, 3.0 / (double)top};
        if (__builtin_mul_overflow(plan->case_count, group->states, &plan->case_count))
            plan->case_count = UINT64_MAX;
    }
    plan->output_count = optinc_spec_digits_out(&plan->spec);
    return OPTINC_OK;
}

static optinc_status plan_layer(oi_train_plan *plan, uint32_t index, const optinc_log *log)
{
    const optinc_train_options *options = &plan->options;
    oi_train_layer *layer = &plan->layers[index];
    uint32_t rows = options->sides[index + 1];
    uint32_t cols = options->sides[index];
    uint32_t small = rows < cols ? rows : cols;
    uint32_t large = rows < cols ? cols : rows;
    bool segmented = !options->segmented || options->segmented[index];

    if (rows < 1 || rows > OPTINC_LAYER_SIDE_MAX || cols < 1 || cols > OPTINC_LAYER_SIDE_MAX)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "layer %u is %ux%u, expected sides 1 .. %u", index + 1, rows, cols,
                       OPTINC_LAYER_SIDE_MAX);
    if (segmented && large % small != 0)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "layer %u: squares of side %u do not tile %ux%u", index + 1, small, rows,
                       cols);
    *layer = (oi_train_layer){
        .rows = rows,
        .cols = cols,
        .side = segmented ? small : 0,
        .block_count = segmented ? large / small : 0,
        .on_group = segmented && options->segment_training == OPTINC_SEGMENT_TANGENT,
        .activation =
            index + 1 == plan->layer_count ? OPTINC_ACTIVATION_LINEAR : options->activation,
        .weight_at = plan->weight_count,
        .gradient_at = plan->gradient_count,
        .bias_gradient_at = plan->gradient_count + (size_t)rows * cols,
        .drift_at = plan->drift_count,
        .param_at = plan->param_count};
    layer->diagonal_at = layer->param_at + (size_t)rows * cols;
    layer->bias_at = layer->diagonal_at + (layer->on_group ? large : 0);
    plan->weight_count += (size_t)rows * cols;
    plan->gradient_count += (size_t)rows * cols + rows;
    plan->param_count = layer->bias_at + rows;
    plan->drift_count += layer->block_count;
    if (layer->side > plan->block_side_max)
        plan->block_side_max = layer->side;
    if (options->phase_noise_rad > 0.0 && !layer->on_group && large > plan->block_side_max)
        plan->block_side_max = large;
    if (rows > plan->side_max)
        plan->side_max = rows;
    return OPTINC_OK;
}

static optinc_status plan_network(oi_train_plan *plan, const optinc_log *log)
{
    const optinc_train_options *options = &plan->options;
    uint32_t inputs = options->sides[0];
    uint32_t outputs = options->sides[plan->layer_count];
    optinc_status status = OPTINC_OK;

    if (inputs != plan->group_count)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "the structure has %u inputs, N=%u B=%u merged by %u need %u", inputs,
                       plan->spec.ports, plan->spec.bits_in, options->input_merge,
                       plan->group_count);
    if (outputs != plan->output_count)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "the structure has %u outputs, the result has %u digits", outputs,
                       plan->output_count);
    plan->side_max = inputs;
    for (uint32_t i = 0; i < plan->layer_count && !status; i++)
        status = plan_layer(plan, i, log);
    if (status)
        return status;
    for (uint32_t i = 0; i <= plan->layer_count; i++) {
        plan->activation_at[i] = plan->activation_count;
        plan->activation_count += (size_t)OI_TRAIN_CHUNK * options->sides[i];
    }
    return OPTINC_OK;
}

static optinc_status plan_epoch(oi_train_plan *plan, const optinc_log *log)
{
    const optinc_train_options *options = &plan->options;
    uint32_t batch = options->batch_size;

    plan->sampled = options->epoch_cases > 0 && options->epoch_cases < plan->case_count;
    plan->epoch_cases = plan->sampled ? options->epoch_cases : plan->case_count;
    if (plan->epoch_cases > EPOCH_CASES_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW,
                       "%llu cases an epoch, expected at most %llu: sample them or merge digits",
                       (unsigned long long)plan->epoch_cases, (unsigned long long)EPOCH_CASES_MAX);
    if (plan->sampled && options->visit_interval > 1)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "a visit interval of %u needs all cases in every epoch, not a sample",
                       options->visit_interval);
    if (options->hard_cases > 0 && !plan->sampled)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "hard cases are for epochs that are a sample of all cases");
    if (options->hard_cases > plan->epoch_cases / 2)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%llu hard cases, expected at most half of the epoch's %llu",
                       (unsigned long long)options->hard_cases,
                       (unsigned long long)plan->epoch_cases);
    for (uint32_t i = 0; i < plan->group_count && options->hard_cases > 0; i++)
        if (plan->groups[i].states > 1u << 24)
            return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                           "hard cases: an input of %llu values, expected at most 2^24",
                           (unsigned long long)plan->groups[i].states);
    plan->chunk_count = (batch + OI_TRAIN_CHUNK - 1) / OI_TRAIN_CHUNK;
    plan->thread_count =
        options->thread_count ? options->thread_count : (uint32_t)omp_get_max_threads();
    return oi_threads_check(plan->thread_count, log);
}

static int larger_first(const void *a, const void *b)
{
    const oi_train_task *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Large tasks first, so that the threads end together. `count` serves as the weight: a block's
 * cube against a slice's rows is not needed to the last percent. */
static optinc_status plan_tasks(oi_train_plan *plan)
{
    size_t count = 0;

    for (uint32_t i = 0; i < plan->layer_count + plan->guide_count; i++)
        count += 1 + (plan->layers[i].on_group ? plan->layers[i].block_count
                                               : plan->layers[i].rows / TASK_ROWS + 1);
    plan->tasks = oi_allocate(count, sizeof *plan->tasks);
    if (!plan->tasks)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < plan->layer_count + plan->guide_count; i++) {
        const oi_train_layer *layer = &plan->layers[i];

        if (layer->on_group) {
            for (uint32_t j = 0; j < layer->block_count; j++)
                plan->tasks[plan->task_count++] =
                    (oi_train_task){OI_TRAIN_TASK_BLOCK, i, j, layer->side};
        } else {
            for (uint32_t row = 0; row < layer->rows; row += TASK_ROWS)
                plan->tasks[plan->task_count++] =
                    (oi_train_task){OI_TRAIN_TASK_ROWS, i, row,
                                    layer->rows - row < TASK_ROWS ? layer->rows - row : TASK_ROWS};
        }
        plan->tasks[plan->task_count++] = (oi_train_task){OI_TRAIN_TASK_BIAS, i, 0, 0};
    }
    qsort(plan->tasks, plan->task_count, sizeof *plan->tasks, larger_first);
    return OPTINC_OK;
}

optinc_status oi_train_plan_create(const optinc_spec *spec, const optinc_train_options *options,
                                   const optinc_log *log, oi_train_plan *plan)
{
    optinc_status status;

    memset(plan, 0, sizeof *plan);
    if (!spec || !options)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no spec or no training options");
    if ((status = optinc_spec_check(spec, log)))
        return status;
    if (spec->variant == OPTINC_VARIANT_STOCHASTIC)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED,
                       "training for stochastic rounding: use a constructed design");
    plan->spec = *spec;
    plan->options = *options;
    plan->layer_count = options->layer_count;
    if ((status = check_options(options, log)) ||
        (status = plan_groups(plan, options->input_merge, log)) ||
        (status = plan_network(plan, log)) || (status = plan_epoch(plan, log)))
        return status;
    oi_train_plan_guides(plan);
    return plan_tasks(plan);
}

void oi_train_plan_destroy(oi_train_plan *plan)
{
    oi_free(plan->tasks);
    plan->tasks = NULL;
}
