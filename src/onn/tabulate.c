/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "onn/prove.h"

#include <stdlib.h>

optinc_status optinc_tabulate(const optinc_design *design, uint32_t level, size_t table_count_max,
                              const optinc_progress *progress, const optinc_log *log,
                              uint32_t **table, size_t *table_count)
{
    const optinc_unit *unit;
    uint64_t count;
    optinc_status status;

    if (!design || !table || !table_count)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design, table or table_count is NULL");
    *table = NULL;
    *table_count = 0;
    unit = optinc_design_unit(design, level);
    if (!unit)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "level is %u, expected below %u", level,
                       optinc_design_level_count(design));
    if (unit->spec.bits_out > 32)
        return oi_fail(log, OPTINC_ERR_OVERFLOW,
                       "a result of %u bits does not fit a table's 32 bits", unit->spec.bits_out);
    count = oi_case_count(&unit->spec);
    if (count > table_count_max || count > SIZE_MAX / sizeof **table)
        return oi_fail(log, OPTINC_ERR_OVERFLOW, "a table needs %llu cases, the limit is %zu",
                       (unsigned long long)count, table_count_max);
    *table = malloc((size_t)count * sizeof **table);
    if (!*table)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for a table of %llu cases",
                       (unsigned long long)count);
    status = oi_tabulate_cases(unit, count, 0, progress, log, *table);
    if (status != OPTINC_OK) {
        optinc_table_free(table);
        return status;
    }
    *table_count = (size_t)count;
    return OPTINC_OK;
}

void optinc_table_free(uint32_t **table)
{
    if (!table)
        return;
    free(*table);
    *table = NULL;
}
