/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the design room share. */
#ifndef OI_DESIGN_INTERNAL_H
#define OI_DESIGN_INTERNAL_H

#include "optinc/design.h"

/* Inputs of one ONN: digits_in (24 at most) merged in any way, and the bias ports. */
#define OI_INPUTS_MAX 256u
/* Ports of a whole tree, as in optinc_result_scale. */
#define OI_TREE_PORTS_MAX (1u << 20)

/* The units own all that they point to. */
struct optinc_design {
    uint32_t level_count;
    uint64_t checksum;
    optinc_unit units[OPTINC_LEVELS_MAX];
};

/* Checks every unit and the fit between levels. `name` (a file, or "design") opens each message:
 * "name: field: found ..., expected ...". */
optinc_status oi_design_check(const optinc_unit *units, uint32_t level_count, const char *name,
                              const optinc_log *log);
optinc_status oi_design_check_proof(const optinc_proof *proof, uint32_t level, const char *name,
                                    const optinc_log *log);
optinc_status oi_design_check_table(const optinc_spec *spec, const uint32_t *table,
                                    size_t table_count, uint32_t level, const char *name,
                                    const optinc_log *log);

/* Entries of a full table: cases, times the divisor for the stochastic variant; UINT64_MAX if that
 * does not fit. */
uint64_t oi_table_count(const optinc_spec *spec);

/* Frees what the unit owns; the unit is then empty. */
void oi_unit_clear(optinc_unit *unit);

/* The checksum of optinc_design_checksum: levels, specs, inputs, layers and tables. Left out are
 * method, seed, gap and proof: they say how a design was made and what is known of it, and change
 * no result. */
uint64_t oi_design_checksum(const optinc_design *design);

#endif
