/* SPDX-License-Identifier: Apache-2.0 */
/* The data set: vectors of (merged) digit sums, labelled by the reference. */
#include "base/philox.h"
#include "onn/train_internal.h"

/* Splits the index into the groups' values; gives T. */
static uint64_t split(const oi_train_plan *plan, uint64_t index, uint64_t *value)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < plan->group_count; i++) {
        value[i] = index % plan->groups[i].states;
        index /= plan->groups[i].states;
        total += value[i] << (2 * plan->groups[i].digit_first);
    }
    return total;
}

void oi_train_case_inputs(const oi_train_plan *plan, uint64_t index, double *input)
{
    uint64_t value[OPTINC_TRAIN_DIGITS_MAX];

    split(plan, index, value);
    for (uint32_t i = 0; i < plan->group_count; i++)
        input[i] = (double)value[i] * plan->groups[i].scale / plan->spec.ports;
}

bool oi_train_case_digits(const oi_train_plan *plan, uint64_t index, uint8_t *digits)
{
    uint64_t value[OPTINC_TRAIN_DIGITS_MAX];
    uint64_t result = optinc_reference_result(&plan->spec, split(plan, index, value), 0);

    for (uint32_t i = 0; i < plan->output_count; i++)
        digits[i] = (uint8_t)(result >> (2 * i) & 3);
    return result >> plan->spec.bits_out == 0;
}

/* The bias of 2^-64 count does not matter for an order. */
uint64_t oi_train_draw(const oi_train_plan *plan, uint32_t kind, uint64_t epoch, uint64_t index,
                       uint64_t count)
{
    uint32_t word[4];
    uint64_t high;

    oi_philox(plan->options.seed, OI_TRAIN_DRAW_STEP(kind, epoch), index, OI_PURPOSE_TRAIN, word);
    high = (uint64_t)word[0] << 32 | word[1];
    return (uint64_t)((unsigned __int128)high * count >> 64);
}

/* A case that was right with half the hinge's margin to spare waits for its turn, which comes every
 * visit_interval epochs; the others come every time. */
static bool due(const oi_trainer *trainer, uint64_t index)
{
    const optinc_train_options *options = &trainer->plan->options;

    return options->visit_interval <= 1 || !trainer->state.case_error ||
           !((double)trainer->state.case_error[index] < 0.5 * options->margin) ||
           (index + trainer->state.epoch) % options->visit_interval == 0;
}

/* Fisher-Yates */
static void shuffle(oi_trainer *trainer, uint64_t draw_first)
{
    for (uint64_t i = trainer->order_count; i > 1; i--) {
        uint64_t j = oi_train_draw(trainer->plan, OI_TRAIN_DRAW_ORDER, trainer->state.epoch,
                                   draw_first + i, i);
        uint64_t held = trainer->order[i - 1];

        trainer->order[i - 1] = trainer->order[j];
        trainer->order[j] = held;
    }
}

void oi_train_order(oi_trainer *trainer)
{
    const oi_train_plan *plan = trainer->plan;
    uint64_t epoch = trainer->state.epoch, count = 0;

    if (plan->sampled) {
        for (uint64_t i = 0; i < plan->epoch_cases; i++)
            trainer->order[i] =
                oi_train_draw(plan, OI_TRAIN_DRAW_ORDER, epoch, i, plan->case_count);
        trainer->order_count = plan->epoch_cases;
        for (uint64_t i = 0; i < plan->epoch_cases && trainer->order_error; i++)
            trainer->order_error[i] = -1.0f;
        if (plan->options.hard_cases > 0 && epoch >= plan->options.squared_epochs) {
            oi_train_hard_order(trainer);
            shuffle(trainer, plan->epoch_cases);
        }
        return;
    }
    for (uint64_t i = 0; i < plan->case_count; i++)
        if (due(trainer, i))
            trainer->order[count++] = i;
    trainer->order_count = count;
    shuffle(trainer, 0);
}
