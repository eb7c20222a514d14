/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (Kingma and Ba, 2015), the cosine schedule, and one step of every parameter. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "onn/train_internal.h"

#define FIRST_DECAY 0.9
#define SECOND_DECAY 0.999
#define EPSILON 1e-8f

oi_adam oi_adam_at(double rate, uint64_t step)
{
    oi_adam adam = {.rate = (float)rate,
                    .first_decay = (float)FIRST_DECAY,
                    .second_decay = (float)SECOND_DECAY,
                    .first_correction = (float)(1.0 / (1.0 - pow(FIRST_DECAY, (double)step))),
                    .second_correction = (float)(1.0 / (1.0 - pow(SECOND_DECAY, (double)step)))};

    return adam;
}

OI_TRAIN_VECTOR
void oi_adam_direction(const oi_adam *adam, size_t count, const float *restrict gradient,
                       float *restrict first, float *restrict second, float *restrict step)
{
    const oi_adam a = *adam;

    for (size_t i = 0; i < count; i++) {
        float g = gradient[i];
        float m = a.first_decay * first[i] + (1.0f - a.first_decay) * g;
        float v = a.second_decay * second[i] + (1.0f - a.second_decay) * g * g;

        first[i] = m;
        second[i] = v;
        step[i] = -a.rate * (m * a.first_correction) /
                  (__builtin_sqrtf(v * a.second_correction) + EPSILON);
    }
}

OI_TRAIN_VECTOR
void oi_adam_update(const oi_adam *adam, size_t count, const float *restrict gradient,
                    float *restrict first, float *restrict second, float *restrict value)
{
    const oi_adam a = *adam;

    for (size_t i = 0; i < count; i++) {
        float g = gradient[i];
        float m = a.first_decay * first[i] + (1.0f - a.first_decay) * g;
        float v = a.second_decay * second[i] + (1.0f - a.second_decay) * g * g;

        first[i] = m;
        second[i] = v;
        value[i] -= a.rate * (m * a.first_correction) /
                    (__builtin_sqrtf(v * a.second_correction) + EPSILON);
    }
}

double oi_rate_at(const optinc_train_options *options, double epoch)
{
    const double pi = 3.14159265358979323846;
    double cycle = floor(epoch / options->epochs);
    double phase = epoch / options->epochs - cycle;

    return options->learning_rate * pow(0.5, cycle) * 0.5 * (1.0 + cos(pi * phase));
}

/* sum[i] over the chunks that have a gradient, in their order; stride apart in memory. */
OI_TRAIN_VECTOR
static void sum_chunks(const oi_trainer *trainer, size_t at, size_t count, float *restrict sum)
{
    const oi_train_plan *plan = trainer->plan;
    bool started = false;

    for (uint32_t chunk = 0; chunk < plan->chunk_count; chunk++) {
        const float *part = trainer->gradient + (size_t)chunk * plan->gradient_count + at;

        if (!trainer->contributes[chunk])
            continue;
        if (!started) {
            memcpy(sum, part, count * sizeof *sum);
            started = true;
            continue;
        }
        for (size_t i = 0; i < count; i++)
            sum[i] += part[i];
    }
    if (!started)
        memset(sum, 0, count * sizeof *sum);
}

/* The skew-symmetric step of Adam from a = U'G: its gradient is (a - a')/2, of which the part
 * above the diagonal is learnt and mirrored. Adam's moments stay with the generators of the
 * rotations, which do not turn with U, so nothing has to be transported. */
static void skew_step(const oi_adam *adam, uint32_t side, const float *a, float *first,
                      float *second, float *row, float *step)
{
    for (uint32_t i = 0; i < side; i++) {
        uint32_t count = side - i - 1;

        for (uint32_t j = 0; j < count; j++)
            row[j] = 0.5f * (a[(size_t)i * side + i + 1 + j] - a[(size_t)(i + 1 + j) * side + i]);
        step[(size_t)i * side + i] = 0.0f;
        oi_adam_direction(adam, count, row, first + (size_t)i * side + i + 1,
                          second + (size_t)i * side + i + 1, step + (size_t)i * side + i + 1);
        for (uint32_t j = i + 1; j < side; j++)
            step[(size_t)j * side + i] = -step[(size_t)i * side + j];
    }
}

/* G = dL/dW of the block; dL/dd_i = sum_j G_ij U_ij; g = dL/dU = diag(d) G. */
static void diagonal_gradient(uint32_t side, const float *d, const float *u, float *g, float *slope)
{
    for (uint32_t i = 0; i < side; i++) {
        float sum = 0.0f;

        for (uint32_t j = 0; j < side; j++) {
            sum += g[(size_t)i * side + j] * u[(size_t)i * side + j];
            g[(size_t)i * side + j] *= d[i];
        }
        slope[i] = sum;
    }
}

static void update_block(const oi_trainer *trainer, oi_train_worker *worker,
                         const oi_train_layer *layer, uint32_t block, const oi_adam *adam)
{
    const oi_train_state *state = &trainer->state;
    uint32_t side = layer->side;
    size_t at = layer->param_at + (size_t)block * side * side;
    size_t diagonal_at = layer->diagonal_at + (size_t)block * side;
    float *u = state->param + at;
    float *g = worker->block[0], *a = worker->block[1], *step = worker->block[2];
    float *slope = worker->delta[0], *row = worker->delta[1];

    for (uint32_t i = 0; i < side; i++)
        sum_chunks(trainer,
                   layer->gradient_at + oi_segment_offset(layer, block) + (size_t)i * layer->cols,
                   side, g + (size_t)i * side);
    diagonal_gradient(side, state->param + diagonal_at, u, g, slope);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)side, (int)side, (int)side, 1.0f, u,
                (int)side, g, (int)side, 0.0f, a, (int)side);
    skew_step(adam, side, a, state->first + at, state->second + at, row, step);
    oi_segment_move(side, u, step, state->drift + layer->drift_at + block, g, a);
    oi_adam_update(adam, side, slope, state->first + diagonal_at, state->second + diagonal_at,
                   state->param + diagonal_at);
    oi_segment_weight(layer, state->param, block, trainer->weight + layer->weight_at);
}

void oi_train_update(const oi_trainer *trainer, oi_train_worker *worker, const oi_train_task *task,
                     const oi_adam *adam)
{
    const oi_train_layer *layer = &trainer->plan->layers[task->layer];
    const oi_train_state *state = &trainer->state;

    if (task->kind == OI_TRAIN_TASK_BLOCK) {
        update_block(trainer, worker, layer, task->first, adam);
    } else if (task->kind == OI_TRAIN_TASK_BIAS) {
        sum_chunks(trainer, layer->bias_gradient_at, layer->rows, worker->delta[0]);
        oi_adam_update(adam, layer->rows, worker->delta[0], state->first + layer->bias_at,
                       state->second + layer->bias_at, state->param + layer->bias_at);
    } else {
        for (uint32_t i = task->first; i < task->first + task->count; i++) {
            size_t at = layer->param_at + (size_t)i * layer->cols;

            sum_chunks(trainer, layer->gradient_at + (size_t)i * layer->cols, layer->cols,
                       worker->delta[0]);
            oi_adam_update(adam, layer->cols, worker->delta[0], state->first + at,
                           state->second + at, state->param + at);
        }
        memcpy(trainer->weight + layer->weight_at + (size_t)task->first * layer->cols,
               state->param + layer->param_at + (size_t)task->first * layer->cols,
               (size_t)task->count * layer->cols * sizeof(float));
    }
}
