/* SPDX-License-Identifier: Apache-2.0 */
/* Guides: linear readouts of hidden layers that have to tell intermediate values of the reference
 * while the network learns (deep supervision; Lee et al., 2015), dropped afterwards.
 *
 * A digit of the result is a sawtooth of all inputs below it, which gradients find slowly; a carry
 * is a staircase of few steps of the carry before it (docs/proofs.md):
 *     x_i = c s_i + carry_i + o_i,  carry_(i+1) = floor(x_i / 4),  digit_i = x_i - 4 carry_(i+1)
 * Where x_i goes beyond STEPS_MAX of these steps (N > 4, or merged digits), floor(x_i / 16) and
 * x_i mod 16 come first, so that no layer has to learn more than a few steps. These tasks are
 * spread evenly over the hidden layers. A layer's guide tells its tasks' values and the digits that
 * are known by then, for these have to ride along to the output. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "onn/train_internal.h"

#define STEPS_MAX 6u /* that one layer is asked for */

/* Values of a stage i that guides may be asked for. */
typedef enum value_kind {
    VALUE_CARRY,  /* floor(x_i / 4) */
    VALUE_COARSE, /* floor(x_i / 16) */
    VALUE_REST,   /* x_i mod 16 */
    VALUE_DIGIT,  /* x_i mod 4 */
    VALUE_KINDS
} value_kind;

static uint8_t value_number(value_kind kind, uint32_t stage)
{
    return (uint8_t)(stage * VALUE_KINDS + kind);
}

/* x_i of every stage, from the inputs' values [group_count]. Digits that P merges come as one
 * number v: there x_i = c v + carry + o over all of them, and floor(x_i / 4) for the next of
 * them. */
static void stage_values(const oi_train_plan *plan, const uint64_t *inputs, uint64_t *x)
{
    const oi_stages *stages = &plan->stages;
    uint32_t stage = 0;
    uint64_t value = 0;

    for (uint32_t group = 0; stage < stages->count; group++) {
        uint32_t end = stage + 1;

        if (group < plan->group_count) {
            end = stage + plan->groups[group].digit_count;
            value += stages->gain * inputs[group];
        }
        end = end < stages->count ? end : stages->count;
        for (uint32_t i = stage; i < end; i++)
            value += (uint64_t)stages->offset[i] << (2 * (i - stage));
        for (; stage < end; stage++, value /= 4)
            x[stage] = value;
    }
}

static void case_values(const oi_train_plan *plan, uint64_t index, float *values)
{
    uint64_t inputs[OPTINC_TRAIN_DIGITS_MAX], x[OI_STAGES_MAX];

    for (uint32_t i = 0; i < plan->group_count; i++) {
        inputs[i] = index % plan->groups[i].states;
        index /= plan->groups[i].states;
    }
    stage_values(plan, inputs, x);
    for (uint32_t i = 0; i < plan->stages.count; i++) {
        uint64_t carry = x[i] / 4, coarse = x[i] / 16;

        values[value_number(VALUE_CARRY, i)] = (float)carry;
        values[value_number(VALUE_COARSE, i)] = (float)coarse;
        values[value_number(VALUE_REST, i)] = (float)(x[i] % 16);
        values[value_number(VALUE_DIGIT, i)] = (float)(x[i] % 4);
    }
}

/* What one hidden layer has to find: stage i's carry, or what goes before it. */
typedef struct task {
    uint32_t stage;
    bool coarse;
} task;

/* Tasks [2 OI_STAGES_MAX] in their order; gives their count. The last stage's x is a digit. */
static uint32_t list_tasks(const oi_train_plan *plan, task *tasks)
{
    uint64_t inputs[OPTINC_TRAIN_DIGITS_MAX], x[OI_STAGES_MAX];
    uint32_t count = 0;

    /* All x_i grow with the inputs, so their largest values come together. */
    for (uint32_t i = 0; i < plan->group_count; i++)
        inputs[i] = plan->groups[i].states - 1;
    stage_values(plan, inputs, x);
    for (uint32_t i = 0; i + 1 < plan->stages.count; i++) {
        if (x[i] / 4 > STEPS_MAX)
            tasks[count++] = (task){i, true};
        tasks[count++] = (task){i, false};
    }
    return count;
}

/* Tasks done by layer 1 .. hidden: task i falls to the layer nearest to i hidden / tasks. */
static uint32_t tasks_by(uint32_t layer, uint32_t hidden, uint32_t tasks)
{
    uint32_t count = 0;

    while (count < tasks && (2 * (count + 1) * hidden + tasks) / (2 * tasks) <= layer)
        count++;
    return count;
}

/* Lays a guide of `count` values out behind what the plan has already. */
static void add_guide(oi_train_plan *plan, const oi_train_guide *guide)
{
    uint32_t rows = guide->value_count, cols = plan->layers[guide->activation].cols;
    oi_train_layer *layer = &plan->layers[plan->layer_count + plan->guide_count];

    *layer = (oi_train_layer){.rows = rows,
                              .cols = cols,
                              .activation = OPTINC_ACTIVATION_LINEAR,
                              .weight_at = plan->weight_count,
                              .param_at = plan->param_count,
                              .diagonal_at = plan->param_count + (size_t)rows * cols,
                              .bias_at = plan->param_count + (size_t)rows * cols,
                              .gradient_at = plan->gradient_count,
                              .bias_gradient_at = plan->gradient_count + (size_t)rows * cols,
                              .drift_at = plan->drift_count};
    plan->weight_count += (size_t)rows * cols;
    plan->param_count += (size_t)rows * cols + rows;
    plan->gradient_count += (size_t)rows * cols + rows;
    plan->guides[plan->guide_count] = *guide;
    plan->guides[plan->guide_count].slope_at = plan->guide_slope_count;
    plan->guide_slope_count += (size_t)OI_TRAIN_CHUNK * rows;
    plan->guide_count++;
}

void oi_train_plan_guides(oi_train_plan *plan)
{
    uint32_t hidden = plan->layer_count - 1, done = 0, known = 0, count;
    task tasks[2 * OI_STAGES_MAX] = {{0}};

    if (plan->options.supervision != OPTINC_SUPERVISION_CARRIES)
        return;
    oi_stages_of(&plan->spec, &plan->stages);
    count = list_tasks(plan, tasks);
    for (uint32_t i = 1; i <= hidden; i++) {
        oi_train_guide guide = {.activation = i};
        uint32_t end = tasks_by(i, hidden, count);

        if (end == done)
            continue;
        for (; done < end; done++) {
            uint32_t stage = tasks[done].stage;

            if (tasks[done].coarse) {
                guide.values[guide.value_count++] = value_number(VALUE_COARSE, stage);
                guide.values[guide.value_count++] = value_number(VALUE_REST, stage);
            } else {
                guide.values[guide.value_count++] = value_number(VALUE_CARRY, stage);
                known = stage + 1;
            }
        }
        for (uint32_t j = plan->stages.first_out; j < known; j++)
            guide.values[guide.value_count++] = value_number(VALUE_DIGIT, j);
        add_guide(plan, &guide);
    }
}

void oi_train_guides_read(const oi_trainer *trainer, oi_train_worker *worker, uint32_t count)
{
    const oi_train_plan *plan = trainer->plan;

    for (uint32_t k = 0; k < plan->guide_count; k++) {
        const oi_train_guide *guide = &plan->guides[k];
        const oi_train_layer *layer = &plan->layers[plan->layer_count + k];
        const float *bias = trainer->state.param + layer->bias_at;
        float *y = worker->guide_slope + guide->slope_at;

        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)layer->rows, (int)layer->cols,
            1.0f, worker->activation + plan->activation_at[guide->activation], (int)layer->cols,
            trainer->weight + layer->weight_at, (int)layer->cols, 0.0f, y, (int)layer->rows);
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t j = 0; j < layer->rows; j++)
                y[(size_t)i * layer->rows + j] += bias[j];
    }
}

float oi_train_guides_loss(const oi_trainer *trainer, oi_train_worker *worker, uint64_t index,
                           const oi_train_loss *loss, uint32_t from, uint32_t to)
{
    const oi_train_plan *plan = trainer->plan;
    float values[OI_TRAIN_GUIDE_VALUES_MAX], sum = 0.0f;

    case_values(plan, index, values);
    for (uint32_t k = 0; k < plan->guide_count; k++) {
        const oi_train_guide *guide = &plan->guides[k];
        const float *y = worker->guide_slope + guide->slope_at + (size_t)from * guide->value_count;
        float *slope = worker->guide_slope + guide->slope_at + (size_t)to * guide->value_count;

        for (uint32_t j = 0; j < guide->value_count; j++) {
            float error = y[j] - values[guide->values[j]];
            float beyond = fabsf(error) - (loss->squared ? 0.0f : (float)loss->margin);
            float excess = beyond > 0.0f ? copysignf(beyond, error) : 0.0f;

            /* A NaN must reach the loss to be noticed. */
            sum += isnan(error) ? error : excess * excess;
            slope[j] = 2.0f * excess;
        }
    }
    return sum;
}

void oi_train_guides_backward(const oi_trainer *trainer, const oi_train_worker *worker,
                              uint32_t activation, uint32_t rows, float *gradient, float *delta)
{
    const oi_train_plan *plan = trainer->plan;

    for (uint32_t k = 0; k < plan->guide_count; k++) {
        const oi_train_guide *guide = &plan->guides[k];
        const oi_train_layer *layer = &plan->layers[plan->layer_count + k];
        const float *slope = worker->guide_slope + guide->slope_at;
        float *bias = gradient + layer->bias_gradient_at;

        if (guide->activation != activation)
            continue;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)layer->rows, (int)layer->cols,
                    (int)rows, 1.0f, slope, (int)layer->rows,
                    worker->activation + plan->activation_at[activation], (int)layer->cols, 0.0f,
                    gradient + layer->gradient_at, (int)layer->cols);
        memset(bias, 0, layer->rows * sizeof *bias);
        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t j = 0; j < layer->rows; j++)
                bias[j] += slope[(size_t)i * layer->rows + j];
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)layer->cols,
                    (int)layer->rows, 1.0f, slope, (int)layer->rows,
                    trainer->weight + layer->weight_at, (int)layer->cols, 1.0f, delta,
                    (int)layer->cols);
    }
}
