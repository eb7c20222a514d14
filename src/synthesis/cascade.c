/* SPDX-License-Identifier: Apache-2.0 */
/* Cascades (docs/cascades.md). A residual switch puts out the sum of its ports' codes, all
 * of it. So the last level's ports carry sums over disjoint groups of servers, its T is the sum of all
 * servers' codes, and with D = all servers (N of the last level times those behind each port)
 * floor((T + offset) / D) is what one flat switch returns. Idle switches send the sum of their ports'
 * zero codes, as idle servers would. */
#include "base/log.h"
#include "base/memory.h"
#include "optinc/synthesis.h"

#include <stdio.h>

#define PORTS_LOG2_MAX 6u
#define TREE_PORTS_LOG2_MAX 20u
#define BITS_IN_MAX 48u
#define EXHAUSTIVE_CASES_MAX ((uint64_t)1 << 20)

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t clamp_u32(uint32_t a, uint32_t low, uint32_t high)
{
    return a < low ? low : min_u32(a, high);
}

/* 0 for 0 */
static uint32_t floor_log2(uint64_t a)
{
    uint32_t log2 = 0;

    while (log2 < 63 && a >> (log2 + 1) != 0)
        log2++;
    return log2;
}

static optinc_status check_levels(uint32_t level_count, const optinc_log *log)
{
    if (level_count >= 1 && level_count <= OPTINC_LEVELS_MAX)
        return OPTINC_OK;
    return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "levels is %u, expected 1 to %u", level_count,
                   OPTINC_LEVELS_MAX);
}

/* servers is no power of two, or not one of log2_min .. log2_max: says which are near. */
static optinc_status refuse_split(uint64_t servers, uint32_t level_count, uint32_t log2_max,
                                  const optinc_log *log)
{
    uint32_t below = floor_log2(servers), above = below + (servers > (uint64_t)1 << below);
    uint32_t near_below = clamp_u32(below, level_count, log2_max);
    uint32_t near_above = clamp_u32(above, level_count, log2_max);
    uint32_t levels = (above + PORTS_LOG2_MAX - 1) / PORTS_LOG2_MAX;
    char more[96] = "";

    if (above > log2_max && above <= TREE_PORTS_LOG2_MAX)
        snprintf(more, sizeof more, ", in %u levels %llu", levels, 1ull << above);
    if (near_below == near_above)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "no cascade of %u level%s serves %llu servers; the nearest number is %llu%s",
                       level_count, level_count == 1 ? "" : "s", (unsigned long long)servers,
                       1ull << near_below, more);
    return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                   "no cascade serves %llu servers: switches have a power of two of ports; the "
                   "nearest numbers are %llu and %llu",
                   (unsigned long long)servers, 1ull << near_below, 1ull << near_above);
}

optinc_status optinc_cascade_split(uint64_t servers, uint32_t level_count, const optinc_log *log,
                                   uint32_t *ports)
{
    optinc_status status = check_levels(level_count, log);
    uint32_t log2_max, servers_log2;

    if (status != OPTINC_OK)
        return status;
    if (!ports)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "ports is NULL");
    log2_max = min_u32(level_count * PORTS_LOG2_MAX, TREE_PORTS_LOG2_MAX);
    servers_log2 = floor_log2(servers);
    if (servers != (uint64_t)1 << servers_log2 || servers_log2 < level_count ||
        servers_log2 > log2_max)
        return refuse_split(servers, level_count, log2_max, log);
    for (uint32_t level = 0; level < level_count; level++) {
        uint32_t is_larger = level >= level_count - servers_log2 % level_count;

        ports[level] = (uint32_t)1 << (servers_log2 / level_count + is_larger);
    }
    return OPTINC_OK;
}

/* log2 of a level's ports; the spec's own check has seen that they are a power of two. */
static uint32_t ports_log2(const optinc_spec *spec)
{
    return (uint32_t)__builtin_ctz(spec->ports);
}

optinc_status optinc_cascade_specs(const optinc_cascade *cascade, const optinc_log *log,
                                   optinc_spec *specs)
{
    optinc_status status;
    uint32_t servers_log2 = 0;

    if (!cascade || !specs)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "cascade or specs is NULL");
    status = check_levels(cascade->level_count, log);
    for (uint32_t level = 0; level < cascade->level_count && status == OPTINC_OK; level++) {
        bool is_last = level + 1 == cascade->level_count;
        optinc_spec *spec = &specs[level];

        /* checks ports and bits; bits beyond a server's 32 come from the level below */
        status =
            optinc_spec_single(cascade->ports[level], cascade->bits,
                               is_last ? cascade->variant : OPTINC_VARIANT_RESIDUAL, log, spec);
        if (status != OPTINC_OK)
            break;
        servers_log2 += ports_log2(spec);
        if (servers_log2 > TREE_PORTS_LOG2_MAX)
            return oi_fail(log, OPTINC_ERR_OVERFLOW,
                           "the cascade has more than %u servers at level %u",
                           1u << TREE_PORTS_LOG2_MAX, level);
        if (level > 0) {
            spec->bits_in = specs[level - 1].bits_out;
            spec->zero_code = specs[level - 1].zero_code * specs[level - 1].ports;
        }
        if (spec->variant == OPTINC_VARIANT_RESIDUAL)
            spec->bits_out = spec->bits_in + 2 * ((ports_log2(spec) + 1) / 2);
        else
            spec->divisor_log2 = servers_log2;
        if (spec->bits_in > BITS_IN_MAX)
            return oi_fail(
                log, OPTINC_ERR_OVERFLOW,
                "level %u would take codes of %u bits, sums over all servers below it; a "
                "switch takes at most %u: fewer levels, or fewer than %u bits",
                level, spec->bits_in, BITS_IN_MAX, cascade->bits);
        status = optinc_spec_check(spec, log);
    }
    return status;
}

static optinc_status prove_levels(optinc_design *design, const optinc_verify_options *verify,
                                  const optinc_progress *progress, const optinc_log *log)
{
    optinc_verify_options chosen = {.exhaustive_cases_max = EXHAUSTIVE_CASES_MAX};
    optinc_status status = OPTINC_OK;

    if (verify)
        chosen = *verify;
    chosen.checkpoint = NULL; /* one file is not for several levels */
    chosen.resume = false;
    for (uint32_t level = 0; level < optinc_design_level_count(design) && status == OPTINC_OK;
         level++) {
        optinc_verify_result result;

        status = optinc_verify(design, level, &chosen, progress, log, &result);
        if (status == OPTINC_OK)
            status = optinc_design_set_proof(design, level, &result.best);
    }
    return status;
}

/* The levels one by one, then as one design, which copies them. */
static optinc_status construct_levels(const optinc_spec *specs, uint32_t level_count,
                                      const optinc_construct_options *construct,
                                      const optinc_log *log, optinc_design **design)
{
    optinc_design *levels[OPTINC_LEVELS_MAX] = {NULL};
    optinc_unit *units = oi_allocate(level_count, sizeof *units);
    optinc_status status = OPTINC_OK;

    if (!units)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for a cascade");
    for (uint32_t level = 0; level < level_count && status == OPTINC_OK; level++) {
        status = optinc_construct(&specs[level], construct, log, &levels[level]);
        if (status == OPTINC_OK)
            units[level] = *optinc_design_unit(levels[level], 0);
    }
    if (status == OPTINC_OK)
        status = optinc_design_create(units, level_count, log, design);
    for (uint32_t level = 0; level < level_count; level++)
        optinc_design_destroy(&levels[level]);
    oi_free(units);
    return status;
}

optinc_status optinc_synthesise_cascade(const optinc_cascade *cascade,
                                        const optinc_construct_options *construct,
                                        const optinc_verify_options *verify,
                                        const optinc_progress *progress, const optinc_log *log,
                                        optinc_design **design)
{
    optinc_spec specs[OPTINC_LEVELS_MAX];
    optinc_status status;

    if (!design)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design is NULL");
    *design = NULL;
    status = optinc_cascade_specs(cascade, log, specs);
    if (status == OPTINC_OK)
        status = construct_levels(specs, cascade->level_count, construct, log, design);
    if (status == OPTINC_OK)
        status = prove_levels(*design, verify, progress, log);
    if (status != OPTINC_OK)
        optinc_design_destroy(design);
    return status;
}
