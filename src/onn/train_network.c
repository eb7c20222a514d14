/* SPDX-License-Identifier: Apache-2.0 */
/* A chunk of cases through the network and back, in float32: y = act(x W' + b). */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "onn/train_internal.h"

/* z[i, j] = act(z[i, j] + b[j]). A NaN stays one: it must reach the loss to be noticed. */
OI_TRAIN_VECTOR
static void activate(uint32_t count, uint32_t units, const float *bias,
                     optinc_activation activation, float *restrict z)
{
    for (uint32_t i = 0; i < count; i++) {
        float *row = z + (size_t)i * units;

        if (activation == OPTINC_ACTIVATION_LINEAR) {
            for (uint32_t j = 0; j < units; j++)
                row[j] += bias[j];
        } else if (activation == OPTINC_ACTIVATION_RELU) {
            for (uint32_t j = 0; j < units; j++) {
                float value = row[j] + bias[j];

                row[j] = value < 0.0f ? 0.0f : value;
            }
        } else {
            for (uint32_t j = 0; j < units; j++) {
                float value = row[j] + bias[j];

                value = value < 0.0f ? 0.0f : value;
                row[j] = value > 1.0f ? 1.0f : value;
            }
        }
    }
}

/* delta[i, j] *= act'(h[i, j]), and the column sums of the result: the bias's gradient. */
OI_TRAIN_VECTOR
static void mask(uint32_t count, uint32_t units, optinc_activation activation, const float *h,
                 float *restrict delta, float *restrict sum)
{
    float upper = activation == OPTINC_ACTIVATION_SATURATING ? 1.0f : INFINITY;

    memset(sum, 0, units * sizeof *sum);
    for (uint32_t i = 0; i < count; i++) {
        const float *unit = h + (size_t)i * units;
        float *row = delta + (size_t)i * units;

        for (uint32_t j = 0; j < units; j++) {
            float value = unit[j] > 0.0f && unit[j] < upper ? row[j] : 0.0f;

            row[j] = value;
            sum[j] += value;
        }
    }
}

/* Column sums of delta: the last layer's bias gradient. */
static void sum_columns(uint32_t count, uint32_t units, const float *delta, float *sum)
{
    memset(sum, 0, units * sizeof *sum);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < units; j++)
            sum[j] += delta[(size_t)i * units + j];
}

/* Noise meets the unit's input, bias included, so that the activation's slope stays known. */
static void activate_noisy(const oi_train_plan *plan, oi_train_worker *worker, uint32_t index,
                           uint32_t count, const float *bias, uint64_t step, uint64_t first,
                           float *z)
{
    const oi_train_layer *layer = &plan->layers[index];
    float *zero = worker->delta[1];

    memset(zero, 0, layer->rows * sizeof *zero);
    activate(count, layer->rows, bias, OPTINC_ACTIVATION_LINEAR, z);
    oi_noise_units(plan, index, step, first, count, plan->options.unit_noise, z);
    activate(count, layer->rows, zero, layer->activation, z);
}

void oi_train_forward(const oi_trainer *trainer, oi_train_worker *worker, const uint64_t *cases,
                      uint32_t count, uint64_t noise_step, uint64_t noise_first)
{
    const oi_train_plan *plan = trainer->plan;

    for (uint32_t i = 0; i < count; i++) {
        float *x = worker->activation + (size_t)i * plan->group_count;
        double input[OPTINC_TRAIN_DIGITS_MAX];

        oi_train_case_inputs(plan, cases[i], input);
        for (uint32_t j = 0; j < plan->group_count; j++)
            x[j] = (float)(input[j] / 1.5 - 1.0);
    }
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const oi_train_layer *layer = &plan->layers[i];
        const float *x = worker->activation + plan->activation_at[i];
        float *y = worker->activation + plan->activation_at[i + 1];

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)layer->rows,
                    (int)layer->cols, 1.0f, x, (int)layer->cols, trainer->weight + layer->weight_at,
                    (int)layer->cols, 0.0f, y, (int)layer->rows);
        if (noise_step > 0 && plan->options.unit_noise > 0.0)
            activate_noisy(plan, worker, i, count, trainer->state.param + layer->bias_at,
                           noise_step, noise_first, y);
        else
            activate(count, layer->rows, trainer->state.param + layer->bias_at, layer->activation,
                     y);
    }
}

/* Error of output y against digit t as the receiver sees it: below 0 and above 3 it cannot err. */
static float output_error(float y, uint8_t t)
{
    float error = y - (float)t;

    if (t == 0 && error < 0.0f)
        return 0.0f;
    if (t == 3 && error > 0.0f)
        return 0.0f;
    return error;
}

/* Tally of one case; gives its worst |error|. */
static float judge_case(const oi_train_plan *plan, const float *y, const uint8_t *digits,
                        oi_train_tally *tally)
{
    float worst = 0.0f;

    for (uint32_t j = 0; j < plan->output_count; j++) {
        float error = fabsf(output_error(y[j], digits[j]));

        if (!(error < 1e18f))
            tally->finite = false;
        if (!(error < 0.5f))
            tally->wrong_by_digit[j]++;
        worst = error > worst ? error : worst;
    }
    tally->cases++;
    tally->wrong += !(worst < 0.5f);
    if (0.5 - (double)worst < tally->margin_min)
        tally->margin_min = 0.5 - (double)worst;
    return worst;
}

/* dL/dy of one case to slope [outputs]; gives its loss, sum over the digits. */
static float case_loss(const oi_train_plan *plan, const oi_train_loss *loss, const float *y,
                       const uint8_t *digits, float factor, float *slope)
{
    float sum = 0.0f;

    for (uint32_t j = 0; j < plan->output_count; j++) {
        float excess;

        if (loss->squared) {
            excess = y[j] - (float)digits[j];
        } else {
            float error = output_error(y[j], digits[j]);
            float beyond = fabsf(error) - (float)loss->margin;

            excess = beyond > 0.0f ? copysignf(beyond, error) : 0.0f;
        }
        sum += excess * excess;
        slope[j] = 2.0f * factor * excess;
    }
    return sum;
}

/* Keeps the rows of x [count, units] named by `active`, ascending, at the front. */
static void compact(const uint32_t *active, uint32_t active_count, uint32_t units, float *x)
{
    for (uint32_t i = 0; i < active_count; i++)
        if (active[i] != i)
            memcpy(x + (size_t)i * units, x + (size_t)active[i] * units, units * sizeof *x);
}

static void note_error(const oi_trainer *trainer, const uint64_t *at, float worst)
{
    if (trainer->state.case_error)
        trainer->state.case_error[*at] = worst;
    if (trainer->order_error)
        trainer->order_error[at - trainer->order] = worst;
}

/* Judges the chunk, makes dL/dy in delta[0] and lists the rows in which it is not zero. */
static uint32_t loss_gradient(const oi_trainer *trainer, oi_train_worker *worker,
                              const uint64_t *cases, uint32_t count, const oi_train_loss *loss,
                              oi_train_tally *tally)
{
    const oi_train_plan *plan = trainer->plan;
    const float *y = worker->activation + plan->activation_at[plan->layer_count];
    uint32_t active_count = 0;

    oi_train_guides_read(trainer, worker, count);
    for (uint32_t i = 0; i < count; i++) {
        const float *output = y + (size_t)i * plan->output_count;
        uint8_t digits[OPTINC_TRAIN_DIGITS_MAX];
        float worst, sum;

        if (!oi_train_case_digits(plan, cases[i], digits))
            continue;
        worst = judge_case(plan, output, digits, tally);
        note_error(trainer, cases + i, worst);
        /* Adam does not see the gradient's scale, so the mean over the batch is left out. */
        sum = case_loss(plan, loss, output, digits, worst < 0.5f ? 1.0f : (float)loss->wrong_weight,
                        worker->delta[0] + (size_t)active_count * plan->output_count);
        if (plan->guide_count > 0)
            sum += oi_train_guides_loss(trainer, worker, cases[i], loss, i, active_count);
        tally->loss += (double)sum;
        if (sum > 0.0f)
            worker->active[active_count++] = i;
    }
    return active_count;
}

bool oi_train_backward(const oi_trainer *trainer, oi_train_worker *worker, const uint64_t *cases,
                       uint32_t count, const oi_train_loss *loss, float *gradient,
                       oi_train_tally *tally)
{
    const oi_train_plan *plan = trainer->plan;
    uint32_t last = plan->layer_count - 1;
    uint32_t rows = loss_gradient(trainer, worker, cases, count, loss, tally);
    float *delta = worker->delta[0], *next = worker->delta[1];

    if (rows == 0)
        return false;
    /* Only cases that the hinge still touches go back: late in training they are few. */
    if (rows < count)
        for (uint32_t i = 0; i <= last; i++)
            compact(worker->active, rows, plan->layers[i].cols,
                    worker->activation + plan->activation_at[i]);
    sum_columns(rows, plan->output_count, delta, gradient + plan->layers[last].bias_gradient_at);
    for (uint32_t i = last + 1; i-- > 0;) {
        const oi_train_layer *layer = &plan->layers[i];
        const float *x = worker->activation + plan->activation_at[i];
        float *held = delta;

        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)layer->rows, (int)layer->cols,
                    (int)rows, 1.0f, delta, (int)layer->rows, x, (int)layer->cols, 0.0f,
                    gradient + layer->gradient_at, (int)layer->cols);
        if (i == 0)
            break;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)layer->cols,
                    (int)layer->rows, 1.0f, delta, (int)layer->rows,
                    trainer->weight + layer->weight_at, (int)layer->cols, 0.0f, next,
                    (int)layer->cols);
        oi_train_guides_backward(trainer, worker, i, rows, gradient, next);
        mask(rows, layer->cols, plan->layers[i - 1].activation, x, next,
             gradient + plan->layers[i - 1].bias_gradient_at);
        delta = next;
        next = held;
    }
    return true;
}

void oi_train_judge(const oi_trainer *trainer, oi_train_worker *worker, const uint64_t *cases,
                    uint32_t count, oi_train_tally *tally)
{
    const oi_train_plan *plan = trainer->plan;
    const float *y = worker->activation + plan->activation_at[plan->layer_count];

    for (uint32_t i = 0; i < count; i++) {
        uint8_t digits[OPTINC_TRAIN_DIGITS_MAX];
        float worst;

        if (!oi_train_case_digits(plan, cases[i], digits))
            continue;
        worst = judge_case(plan, y + (size_t)i * plan->output_count, digits, tally);
        note_error(trainer, cases + i, worst);
    }
}

void oi_train_tally_add(oi_train_tally *sum, const oi_train_tally *part)
{
    sum->loss += part->loss;
    sum->cases += part->cases;
    sum->wrong += part->wrong;
    for (uint32_t i = 0; i < OPTINC_TRAIN_DIGITS_MAX; i++)
        sum->wrong_by_digit[i] += part->wrong_by_digit[i];
    if (part->margin_min < sum->margin_min)
        sum->margin_min = part->margin_min;
    sum->finite = sum->finite && part->finite;
}
