/* SPDX-License-Identifier: Apache-2.0 */
/* Cascades of trained switches. A unit is trained for its own spec: below, a residual one, whose
 * digits_out are all digits of T; above, one that sums residual codes and rounds once. Units that are
 * right in every case make a whole that is, as constructed ones do (docs/proofs.md). */
#include "base/log.h"
#include "optinc/synthesis.h"

optinc_status optinc_train_cascade(const optinc_cascade *cascade,
                                   const optinc_train_options *options,
                                   const optinc_train_watch *watch, const optinc_log *log,
                                   optinc_train_result *results, optinc_design **design)
{
    optinc_design *levels[OPTINC_LEVELS_MAX] = {NULL};
    optinc_unit units[OPTINC_LEVELS_MAX];
    optinc_spec specs[OPTINC_LEVELS_MAX];
    optinc_status status;

    if (design)
        *design = NULL;
    if (!options || !results || !design)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "options, results or design is NULL");
    status = optinc_cascade_specs(cascade, log, specs);
    if (status != OPTINC_OK)
        return status;
    for (uint32_t level = 0; level < cascade->level_count; level++)
        results[level] = (optinc_train_result){.epochs = 0};
    for (uint32_t level = 0; level < cascade->level_count && status == OPTINC_OK; level++) {
        status = optinc_train(&specs[level], &options[level], watch, log, &results[level],
                              &levels[level]);
        if (status == OPTINC_OK)
            units[level] = *optinc_design_unit(levels[level], 0);
    }
    if (status == OPTINC_OK)
        status = optinc_design_create(units, cascade->level_count, log, design);
    for (uint32_t level = 0; level < cascade->level_count; level++)
        optinc_design_destroy(&levels[level]);
    return status;
}
