/* SPDX-License-Identifier: Apache-2.0 */
/* A row W x + b as a sum of terms, each a function of one integer quantity (onn/prove_domain.h) up to
 * an interval: the arithmetic of the proof by stages. */
#ifndef OI_ONN_PROVE_TERMS_H
#define OI_ONN_PROVE_TERMS_H

#include "onn/prove_domain.h"

#include <stddef.h>

/* Nothing proved is near the largest double: sums and products stay finite, so that 0 x = 0. */
#define OI_MAGNITUDE_MAX 1e150

typedef struct oi_interval {
    double lo;
    double hi;
} oi_interval;

static inline oi_interval oi_interval_sum(oi_interval a, oi_interval b)
{
    return (oi_interval){a.lo + b.lo, a.hi + b.hi};
}

static inline oi_interval oi_interval_widen(oi_interval a, double by)
{
    return (oi_interval){a.lo - by, a.hi + by};
}

/* What is known of one layer's units. In every case there is for each quantity one deviation delta,
 * |delta| <= deviation[quantity][v] for its value number v, such that the value of each of its units
 * lies in slope[row][v] delta + rest[row][v]. Units that share an error so keep sharing it. */
typedef struct oi_layer_state {
    uint32_t rows;
    uint32_t index_max; /* leading dimension of what follows */
    uint32_t *quantity; /* [rows] */
    oi_interval *rest;  /* [rows][index_max] */
    double *slope;      /* [rows][index_max] */
    double *magnitude;  /* [rows] largest |value| */
    double *deviation;  /* [OI_QUANTITY_COUNT][index_max] */
} oi_layer_state;

/* One row's terms, by quantity. */
typedef struct oi_row_terms {
    const oi_domains *domains; /* borrowed */
    bool used[OI_QUANTITY_COUNT];
    oi_interval at[OI_QUANTITY_COUNT][OI_STAGE_VALUE_MAX];
    double slope[OI_QUANTITY_COUNT][OI_STAGE_VALUE_MAX];
    oi_interval hull[OI_QUANTITY_COUNT];
    oi_interval constant; /* the bias */
    double size;          /* |b| + sum |w_i| max |x_i| */
} oi_row_terms;

static inline uint32_t oi_terms_domain_count(const oi_row_terms *terms, uint32_t quantity)
{
    return terms->domains->domain[quantity].count;
}

/* Collects the terms of weight [cols] and bias over the units below. Intervals and slopes are right
 * up to the rounding that oi_terms_slack bounds. */
void oi_terms_gather(oi_row_terms *terms, const double *weight, double bias, uint32_t cols,
                     const oi_layer_state *below);

/* What rounding can do to a row of `cols` weights whose terms' sizes sum to `size`: in the forward
 * pass, in whatever order it sums, and in the intervals here, together. */
double oi_terms_slack(uint32_t cols, double size);

/* The row as a function of `target` alone, by its index: row [OI_STAGE_VALUE_MAX], of which the
 * domain's count are set, each interval widened by `slack`. with_parts (stage values only): what x_k is made of, x_(k-1), s_k and o_k, is
 * followed in every combination that can occur; all else is taken at its worst. Gives the width of
 * the widest interval. */
double oi_terms_evaluate(const oi_row_terms *terms, uint32_t target, bool with_parts, double slack,
                         oi_interval *row);

/* The quantity that leaves the row's intervals narrowest; evaluates it into row. trial: scratch. Both
 * [OI_STAGE_VALUE_MAX]. */
uint32_t oi_terms_choose(const oi_row_terms *terms, double slack, oi_interval *row,
                         oi_interval *trial);

#endif
