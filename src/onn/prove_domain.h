/* SPDX-License-Identifier: Apache-2.0 */
/* The integer quantities that a proof by stages speaks of: digit sums s_i, offset digits o_i and stage
 * values x_i (onn/stages.h), each with the set of values that can occur. They are functions of a
 * case alone and known before any weight is looked at. s_i and o_i of all stages are independent of
 * each other; x_i depends on those of stages 0 .. i. */
#ifndef OI_ONN_PROVE_DOMAIN_H
#define OI_ONN_PROVE_DOMAIN_H

#include "onn/stages.h"

typedef struct oi_domain {
    uint32_t count;
    uint32_t value[OI_STAGE_VALUE_MAX]; /* ascending */
} oi_domain;

/* Numbers of the quantities: kind + stage. */
#define OI_QUANTITY_SUM 0u
#define OI_QUANTITY_OFFSET OI_STAGES_MAX
#define OI_QUANTITY_VALUE (2 * OI_STAGES_MAX)
#define OI_QUANTITY_CONSTANT (3 * OI_STAGES_MAX) /* one value: what no case changes */
#define OI_QUANTITY_COUNT (3 * OI_STAGES_MAX + 1)

typedef struct oi_domains {
    oi_stages stages;
    uint32_t free_count; /* stages in which s_i or o_i varies: 0 .. free_count-1 */
    oi_domain domain[OI_QUANTITY_COUNT];
    uint32_t value_index[OI_STAGES_MAX][OI_STAGE_VALUE_MAX]; /* of x_i in its domain */
    oi_domain carry[OI_STAGES_MAX];                          /* carry_i */
    uint32_t index_max;                                      /* largest count of any domain */
} oi_domains;

void oi_domains_of(const optinc_spec *spec, oi_domains *domains);

/* x_stage follows from x_(free_count-1) alone where stage >= free_count. The last stage whose value
 * stands for it: min(stage, free_count - 1). */
uint32_t oi_domains_anchor(const oi_domains *domains, uint32_t stage);
uint32_t oi_domains_follow(const oi_domains *domains, uint32_t anchor_value, uint32_t stage);

/* True where x_i = c s_i + constant, so that s_i and x_i say the same. */
bool oi_domains_sum_is_value(const oi_domains *domains, uint32_t stage);

#endif
