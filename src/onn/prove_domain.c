/* SPDX-License-Identifier: Apache-2.0 */
#include "onn/prove_domain.h"

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void fill_range(oi_domain *domain, uint32_t max, uint32_t step)
{
    for (uint32_t value = 0; value <= max; value += step)
        domain->value[domain->count++] = value;
}

/* All x_i = c s_i + carry_i + o_i that can occur, from the carries that can. */
static void find_values(oi_domains *domains, uint32_t stage)
{
    const oi_stages *stages = &domains->stages;
    const oi_domain *sums = &domains->domain[OI_QUANTITY_SUM + stage];
    const oi_domain *offsets = &domains->domain[OI_QUANTITY_OFFSET + stage];
    oi_domain *values = &domains->domain[OI_QUANTITY_VALUE + stage];
    bool occurs[OI_STAGE_VALUE_MAX] = {false};

    for (uint32_t s = 0; s < sums->count; s++)
        for (uint32_t o = 0; o < offsets->count; o++)
            for (uint32_t c = 0; c < domains->carry[stage].count; c++) {
                uint32_t x = stages->gain * sums->value[s] + offsets->value[o] +
                             domains->carry[stage].value[c];

                if (x <= stages->value_max[stage])
                    occurs[x] = true;
            }
    for (uint32_t x = 0; x <= stages->value_max[stage]; x++)
        if (occurs[x]) {
            domains->value_index[stage][x] = values->count;
            values->value[values->count++] = x;
        }
}

static void find_carries(const oi_domain *values, oi_domain *carries)
{
    for (uint32_t i = 0; i < values->count; i++) {
        uint32_t carry = values->value[i] / 4;

        if (carries->count == 0 || carries->value[carries->count - 1] != carry)
            carries->value[carries->count++] = carry;
    }
}

void oi_domains_of(const optinc_spec *spec, oi_domains *domains)
{
    const oi_stages *stages = &domains->stages;

    *domains = (oi_domains){.free_count = 0};
    oi_stages_of(spec, &domains->stages);
    domains->domain[OI_QUANTITY_CONSTANT].count = 1;
    domains->carry[0].count = 1;
    domains->index_max = 1;
    for (uint32_t i = 0; i < stages->count; i++) {
        oi_domain *offsets = &domains->domain[OI_QUANTITY_OFFSET + i];
        oi_domain *values = &domains->domain[OI_QUANTITY_VALUE + i];

        fill_range(&domains->domain[OI_QUANTITY_SUM + i], stages->sum_max[i], 1);
        if (stages->offset_step[i] > 0)
            fill_range(offsets, stages->offset[i], stages->offset_step[i]);
        else
            offsets->value[offsets->count++] = stages->offset[i];
        if (stages->sum_max[i] > 0 || stages->offset_step[i] > 0)
            domains->free_count = i + 1;
        find_values(domains, i);
        if (i + 1 < stages->count)
            find_carries(values, &domains->carry[i + 1]);
        domains->index_max = max_u32(domains->index_max, values->count);
        domains->index_max =
            max_u32(domains->index_max, domains->domain[OI_QUANTITY_SUM + i].count);
    }
}

uint32_t oi_domains_anchor(const oi_domains *domains, uint32_t stage)
{
    return stage < domains->free_count ? stage : domains->free_count - 1;
}

uint32_t oi_domains_follow(const oi_domains *domains, uint32_t anchor_value, uint32_t stage)
{
    uint32_t x = anchor_value;

    for (uint32_t i = oi_domains_anchor(domains, stage); i < stage; i++)
        x = x / 4 + domains->stages.offset[i + 1];
    return x;
}

bool oi_domains_sum_is_value(const oi_domains *domains, uint32_t stage)
{
    return domains->carry[stage].count == 1 &&
           domains->domain[OI_QUANTITY_OFFSET + stage].count == 1;
}
