/* SPDX-License-Identifier: Apache-2.0 */
#include "onn/prove_terms.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const oi_interval EMPTY = {INFINITY, -INFINITY};

static oi_interval hull_of(oi_interval a, oi_interval b)
{
    return (oi_interval){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

static oi_interval scale(double factor, oi_interval a)
{
    return factor >= 0 ? (oi_interval){factor * a.lo, factor * a.hi}
                       : (oi_interval){factor * a.hi, factor * a.lo};
}

static void add_unit(oi_row_terms *terms, double weight, uint32_t unit, const oi_layer_state *below)
{
    uint32_t quantity = below->quantity[unit];
    uint32_t count = oi_terms_domain_count(terms, quantity);
    const oi_interval *rest = below->rest + (size_t)unit * below->index_max;
    const double *slope = below->slope + (size_t)unit * below->index_max;

    if (!terms->used[quantity]) {
        memset(terms->at[quantity], 0, count * sizeof terms->at[quantity][0]);
        memset(terms->slope[quantity], 0, count * sizeof terms->slope[quantity][0]);
    }
    terms->used[quantity] = true;
    terms->size += fabs(weight) * below->magnitude[unit];
    for (uint32_t i = 0; i < count; i++) {
        terms->at[quantity][i] = oi_interval_sum(terms->at[quantity][i], scale(weight, rest[i]));
        terms->slope[quantity][i] += weight * slope[i];
    }
}

void oi_terms_gather(oi_row_terms *terms, const double *weight, double bias, uint32_t cols,
                     const oi_layer_state *below)
{
    memset(terms->used, 0, sizeof terms->used);
    terms->size = fabs(bias);
    terms->constant.lo = terms->constant.hi = bias;
    for (uint32_t col = 0; col < cols; col++)
        if (weight[col] != 0) /* 0 x = 0 in the forward pass too: all x are finite */
            add_unit(terms, weight[col], col, below);
    for (uint32_t quantity = 0; quantity < OI_QUANTITY_COUNT; quantity++) {
        const double *deviation = below->deviation + (size_t)quantity * below->index_max;

        terms->hull[quantity] = EMPTY;
        for (uint32_t i = 0; terms->used[quantity] && i < oi_terms_domain_count(terms, quantity);
             i++) {
            oi_interval *at = &terms->at[quantity][i];

            *at = oi_interval_widen(*at, fabs(terms->slope[quantity][i]) * deviation[i]);
            terms->hull[quantity] = hull_of(terms->hull[quantity], *at);
        }
    }
}

double oi_terms_slack(uint32_t cols, double size)
{
    /* A product that underflows is off by less than the smallest double, DBL_EPSILON DBL_MIN; where it
     * is a factor (a weight less beta times another, a slope) by as much times what it is multiplied
     * with, at most OI_MAGNITUDE_MAX. */
    return 4.0 * (cols + 8.0) * (DBL_EPSILON / 2 * size + DBL_MIN * OI_MAGNITUDE_MAX);
}

static oi_interval term_at(const oi_row_terms *terms, uint32_t quantity, uint32_t index)
{
    return terms->used[quantity] ? terms->at[quantity][index] : (oi_interval){0, 0};
}

/* carries[index of carry_k] = hull over all x_(k-1) that give it, of their term */
static void combine_carries(const oi_row_terms *terms, uint32_t stage, oi_interval *carries)
{
    const oi_domain *domain = &terms->domains->carry[stage];
    uint32_t below = OI_QUANTITY_VALUE + stage - 1;
    uint32_t c = 0;

    if (stage == 0) {
        carries[0] = (oi_interval){0, 0};
        return;
    }
    for (uint32_t i = 0; i < OI_STAGE_VALUE_MAX; i++)
        carries[i] = EMPTY;
    for (uint32_t i = 0; i < oi_terms_domain_count(terms, below); i++) {
        if (terms->domains->domain[below].value[i] / 4 != domain->value[c])
            c++; /* both ascend */
        carries[c] = hull_of(carries[c], term_at(terms, below, i));
    }
}

/* parts[index of x_k] = hull over all (carry_k, s_k, o_k) that make x_k, of their terms' sum */
static void combine_parts(const oi_row_terms *terms, uint32_t stage, oi_interval *parts)
{
    const oi_domains *domains = terms->domains;
    const oi_domain *sums = &domains->domain[OI_QUANTITY_SUM + stage];
    const oi_domain *offsets = &domains->domain[OI_QUANTITY_OFFSET + stage];
    oi_interval carries[OI_STAGE_VALUE_MAX];

    for (uint32_t i = 0; i < OI_STAGE_VALUE_MAX; i++)
        parts[i] = EMPTY;
    combine_carries(terms, stage, carries);
    for (uint32_t o = 0; o < offsets->count; o++)
        for (uint32_t c = 0; c < domains->carry[stage].count; c++) {
            uint32_t fixed_value = offsets->value[o] + domains->carry[stage].value[c];
            oi_interval fixed =
                oi_interval_sum(carries[c], term_at(terms, OI_QUANTITY_OFFSET + stage, o));

            for (uint32_t s = 0; s < sums->count; s++) {
                uint32_t x = domains->stages.gain * sums->value[s] + fixed_value;
                oi_interval sum = term_at(terms, OI_QUANTITY_SUM + stage, s);
                oi_interval *part;

                if (x > domains->stages.value_max[stage])
                    break;
                part = &parts[domains->value_index[stage][x]];
                *part = hull_of(*part, oi_interval_sum(fixed, sum));
            }
        }
}

/* Does x_k, with all that it is made of, speak for this quantity? */
static bool covers(uint32_t target, bool with_parts, uint32_t quantity)
{
    uint32_t stage = target - OI_QUANTITY_VALUE;

    if (quantity == target)
        return true;
    if (!with_parts)
        return false;
    return quantity == OI_QUANTITY_SUM + stage || quantity == OI_QUANTITY_OFFSET + stage ||
           (stage > 0 && quantity == target - 1);
}

/* Without them following x_k's parts would change nothing. */
static bool uses_parts(const oi_row_terms *terms, uint32_t target)
{
    for (uint32_t quantity = 0; quantity < OI_QUANTITY_COUNT; quantity++)
        if (terms->used[quantity] && quantity != target && covers(target, true, quantity))
            return true;
    return false;
}

/* What the row has beyond what the target speaks for, at its worst. */
static oi_interval sum_others(const oi_row_terms *terms, uint32_t target, bool with_parts,
                              double slack)
{
    oi_interval others = terms->constant;

    for (uint32_t quantity = 0; quantity < OI_QUANTITY_COUNT; quantity++)
        if (terms->used[quantity] && !covers(target, with_parts, quantity))
            others = oi_interval_sum(others, terms->hull[quantity]);
    return oi_interval_widen(others, slack);
}

double oi_terms_evaluate(const oi_row_terms *terms, uint32_t target, bool with_parts, double slack,
                         oi_interval *row)
{
    oi_interval others;
    double width = 0;

    with_parts = with_parts && uses_parts(terms, target);
    others = sum_others(terms, target, with_parts, slack);
    if (with_parts)
        combine_parts(terms, target - OI_QUANTITY_VALUE, row);
    for (uint32_t i = 0; i < oi_terms_domain_count(terms, target); i++) {
        row[i] = oi_interval_sum(with_parts ? row[i] : (oi_interval){0, 0}, others);
        row[i] = oi_interval_sum(row[i], term_at(terms, target, i));
        width = fmax(width, row[i].hi - row[i].lo);
    }
    return width;
}

/* Evaluates a candidate; keeps it if it is the narrowest so far. */
static void try_target(const oi_row_terms *terms, uint32_t target, bool with_parts, double slack,
                       oi_interval *row, oi_interval *trial, uint32_t *best, double *best_width)
{
    double width = oi_terms_evaluate(terms, target, with_parts, slack, trial);

    if (width < *best_width) {
        *best = target;
        *best_width = width;
        memcpy(row, trial, oi_terms_domain_count(terms, target) * sizeof *row);
    }
}

uint32_t oi_terms_choose(const oi_row_terms *terms, double slack, oi_interval *row,
                         oi_interval *trial)
{
    uint32_t best = OI_QUANTITY_CONSTANT, used_count = 0;
    uint32_t free_count = terms->domains->free_count;
    double best_width;

    row[0] = oi_interval_sum(sum_others(terms, best, false, slack), term_at(terms, best, 0));
    best_width = row[0].hi - row[0].lo;
    /* what just rides along first: it should stay a function of its own quantity */
    for (uint32_t quantity = 0; quantity < OI_QUANTITY_CONSTANT; quantity++) {
        if (!terms->used[quantity])
            continue;
        used_count++;
        try_target(terms, quantity, false, slack, row, trial, &best, &best_width);
    }
    for (uint32_t target = OI_QUANTITY_VALUE;
         used_count > 1 && target < OI_QUANTITY_VALUE + free_count; target++)
        if (uses_parts(terms, target))
            try_target(terms, target, true, slack, row, trial, &best, &best_width);
    return best;
}
