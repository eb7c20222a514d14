/* SPDX-License-Identifier: Apache-2.0 */
#include "switch/designs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t log2_of(uint32_t power)
{
    uint32_t log = 0;

    while ((1u << log) < power)
        log++;
    return log;
}

/* docs/proofs.md, written out anew: residual levels add ceil(log4 N) digits, the last divides
 * by the servers of the tree. */
static optinc_spec spec_of(const wish *w, uint32_t level)
{
    optinc_spec spec = {.bits_in = w->bits, .zero_code = UINT64_C(1) << (w->bits - 1)};
    uint32_t servers_log2 = log2_of(w->ports[0]);

    for (uint32_t below = 0; below < level; below++) {
        spec.bits_in += 2 * ((log2_of(w->ports[below]) + 1) / 2);
        spec.zero_code *= w->ports[below];
        servers_log2 += log2_of(w->ports[below + 1]);
    }
    spec.ports = w->ports[level];
    spec.variant = level + 1 < w->level_count ? OPTINC_VARIANT_RESIDUAL : w->variant;
    if (spec.variant == OPTINC_VARIANT_RESIDUAL) {
        spec.bits_out = spec.bits_in + 2 * ((log2_of(spec.ports) + 1) / 2);
    } else {
        spec.bits_out = w->bits;
        spec.divisor_log2 = servers_log2;
    }
    return spec;
}

/* Every case by its digits; results that bits_out cannot hold, which no tree of its own can ask
 * for, are cut off. */
static uint32_t *make_table(const optinc_spec *spec, uint32_t wrong_every, size_t *count)
{
    uint64_t base = 3 * (uint64_t)spec->ports + 1;
    uint64_t divisor = UINT64_C(1) << spec->divisor_log2;
    uint64_t offsets = spec->variant == OPTINC_VARIANT_STOCHASTIC ? divisor : 1;
    uint64_t cases = 1;
    uint32_t *table;

    for (uint32_t j = 0; j < spec->bits_in / 2; j++)
        cases *= base;
    *count = (size_t)(cases * offsets);
    table = malloc(*count * sizeof *table);
    assert_non_null(table);
    for (size_t i = 0; i < *count; i++) {
        uint64_t left = i % cases;
        uint64_t total = spec->variant == OPTINC_VARIANT_HALF_UP ? divisor / 2 : i / cases;

        for (uint32_t j = 0; j < spec->bits_in / 2; j++) {
            total += left % base << (2 * j);
            left /= base;
        }
        total /= divisor;
        if (wrong_every && i % wrong_every == 0)
            total++;
        table[i] = (uint32_t)(total & ((UINT64_C(1) << spec->bits_out) - 1));
    }
    return table;
}

optinc_design *make_design(const wish *w)
{
    optinc_unit units[OPTINC_LEVELS_MAX] = {{.method = OPTINC_METHOD_CONSTRUCTED}};
    uint32_t *tables[OPTINC_LEVELS_MAX] = {NULL};
    optinc_design *design = NULL;

    for (uint32_t level = 0; level < w->level_count; level++) {
        bool exact = w->wrong_every == 0;

        units[level].spec = spec_of(w, level);
        units[level].proof =
            (optinc_proof){.kind = exact ? OPTINC_PROOF_EXHAUSTIVE : OPTINC_PROOF_NONE,
                           .exact = exact,
                           .margin_min = NAN,
                           .error_bound = NAN};
        if (w->with_tables) {
            tables[level] =
                make_table(&units[level].spec, w->wrong_every, &units[level].table_count);
            units[level].table = tables[level];
        }
    }
    assert_int_equal(optinc_design_create(units, w->level_count, NULL, &design), OPTINC_OK);
    for (uint32_t level = 0; level < w->level_count; level++)
        free(tables[level]);
    return design;
}
