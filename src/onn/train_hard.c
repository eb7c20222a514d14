/* SPDX-License-Identifier: Apache-2.0 */
/* Hard cases. Where an epoch is a random sample of too many cases, the last wrong ones are met too
 * seldom to be learnt: one in 10^7 comes once in 300 epochs of 32,768. So the sample keeps a pool:
 * the worst cases met so far, and as many neighbours of theirs, one input changed. What is worst
 * moves on into the pool, which is a search for the largest error by mutation and selection. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "onn/train_internal.h"

typedef struct candidate {
    uint64_t index;
    float error;
} candidate;

static uint64_t index_of(const oi_train_plan *plan, const float *value)
{
    uint64_t index = 0;

    for (uint32_t i = plan->group_count; i-- > 0;)
        index = index * plan->groups[i].states + (uint64_t)value[i];
    return index;
}

static void values_of(const oi_train_plan *plan, uint64_t index, float *value)
{
    for (uint32_t i = 0; i < plan->group_count; i++) {
        value[i] = (float)(index % plan->groups[i].states);
        index /= plan->groups[i].states;
    }
}

/* The case with one input, whichever, set to any value. */
static uint64_t neighbour(const oi_train_plan *plan, const float *value, uint64_t epoch, uint64_t j)
{
    float changed[OPTINC_TRAIN_DIGITS_MAX];
    uint64_t which = oi_train_draw(plan, OI_TRAIN_DRAW_NEIGHBOUR, epoch, 2 * j, plan->group_count);

    memcpy(changed, value, plan->group_count * sizeof *changed);
    changed[which] = (float)oi_train_draw(plan, OI_TRAIN_DRAW_NEIGHBOUR, epoch, 2 * j + 1,
                                          plan->groups[which].states);
    return index_of(plan, changed);
}

void oi_train_hard_first(oi_trainer *trainer)
{
    const oi_train_plan *plan = trainer->plan;

    for (uint64_t j = 0; j < plan->options.hard_cases; j++)
        values_of(
            plan,
            oi_train_draw(plan, OI_TRAIN_DRAW_NEIGHBOUR, (uint64_t)1 << 40, j, plan->case_count),
            trainer->state.hard + j * plan->group_count);
}

void oi_train_hard_order(oi_trainer *trainer)
{
    const oi_train_plan *plan = trainer->plan;
    uint64_t hard = plan->options.hard_cases, epoch = trainer->state.epoch;

    for (uint64_t j = 0; j < hard; j++) {
        const float *value = trainer->state.hard + j * plan->group_count;

        trainer->order[j] = index_of(plan, value);
        trainer->order[hard + j] = neighbour(plan, value, epoch, j);
    }
}

/* By case, the worst of doubles first. */
static int by_case(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return x->error > y->error ? -1 : x->error < y->error;
}

static int worst_first(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->error != y->error)
        return x->error > y->error ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

optinc_status oi_train_hard_keep(oi_trainer *trainer)
{
    const oi_train_plan *plan = trainer->plan;
    uint64_t hard = plan->options.hard_cases, count = 0;
    candidate *found = oi_allocate(trainer->order_count, sizeof *found);

    if (!found)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint64_t i = 0; i < trainer->order_count; i++)
        found[i] = (candidate){trainer->order[i], trainer->order_error[i]};
    qsort(found, trainer->order_count, sizeof *found, by_case);
    for (uint64_t i = 0; i < trainer->order_count; i++)
        if (count == 0 || found[i].index != found[count - 1].index)
            found[count++] = found[i];
    qsort(found, count, sizeof *found, worst_first);
    for (uint64_t j = 0; j < hard && j < count; j++)
        values_of(plan, found[j].index, trainer->state.hard + j * plan->group_count);
    oi_free(found);
    return OPTINC_OK;
}
