/* SPDX-License-Identifier: Apache-2.0 */
/* Designs without layers, made from integers: a spec with a proof, and a table where asked. */
#ifndef TESTS_SWITCH_DESIGNS_H
#define TESTS_SWITCH_DESIGNS_H

#include "optinc/design.h"

/* One switch, or a tree of level_count levels whose last one has `variant`. ports [level_count],
 * the switch next to the servers first. With tables, every `wrong_every`-th entry of each is off by
 * one (0: none is). Fails the calling cmocka test if it cannot be made. */
typedef struct wish {
    uint32_t ports[OPTINC_LEVELS_MAX];
    uint32_t level_count;
    uint32_t bits;
    optinc_variant variant;
    bool with_tables;
    uint32_t wrong_every;
} wish;

optinc_design *make_design(const wish *w);

#endif
