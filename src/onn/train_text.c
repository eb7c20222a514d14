/* SPDX-License-Identifier: Apache-2.0 */
/* What a user writes about a structure, and what the structure costs. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "onn/train_internal.h"

/* A decimal number of 1 .. maximum at *text; moves *text past it. */
static bool read_number(const char **text, unsigned long maximum, uint32_t *number)
{
    unsigned long value;
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    value = strtoul(*text, &end, 10);
    if (errno != 0 || value < 1 || value > maximum)
        return false;
    *text = end;
    *number = (uint32_t)value;
    return true;
}

optinc_status optinc_structure_parse(const char *text, const optinc_log *log, uint32_t *sides,
                                     uint32_t capacity, uint32_t *side_count)
{
    const char *rest = text;
    uint32_t count = 0;

    if (!text || !sides || !side_count)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no structure");
    for (;;) {
        if (count == capacity)
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "structure \"%s\" has over %u sides",
                           text, capacity);
        if (!read_number(&rest, OPTINC_LAYER_SIDE_MAX, &sides[count]))
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "structure \"%s\": expected sides of 1 .. %u as in 4-64-4", text,
                           OPTINC_LAYER_SIDE_MAX);
        count++;
        if (*rest == '\0')
            break;
        if (*rest++ != '-')
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "structure \"%s\": expected a hyphen between sides", text);
    }
    if (count < 2)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "structure \"%s\" has no layer", text);
    *side_count = count;
    return OPTINC_OK;
}

optinc_status optinc_segments_parse(const char *text, uint32_t layer_count, const optinc_log *log,
                                    bool *segmented)
{
    const char *rest = text;

    if (!text || !segmented)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no choice of segmented layers");
    for (uint32_t i = 0; i < layer_count; i++)
        segmented[i] = strcmp(text, "all") == 0;
    if (strcmp(text, "all") == 0 || strcmp(text, "none") == 0)
        return OPTINC_OK;
    for (;;) {
        uint32_t first, last;
        bool good = read_number(&rest, layer_count, &first);

        last = good ? first : 0;
        if (good && *rest == '-') {
            rest++;
            good = read_number(&rest, layer_count, &last) && last >= first;
        }
        if (!good || (*rest != '\0' && *rest != ','))
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "segmented layers \"%s\": expected all, none, or layers of 1 .. %u as "
                           "in 1,4-6",
                           text, layer_count);
        for (uint32_t i = first; i <= last; i++)
            segmented[i - 1] = true;
        if (*rest == '\0')
            return OPTINC_OK;
        rest++;
    }
}

optinc_status optinc_preprocessing_of(const optinc_spec *spec, uint32_t input_merge,
                                      const optinc_log *log, optinc_preprocessing *result)
{
    uint32_t digits;
    optinc_status status;

    if (!spec || !result)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no spec or no result");
    if ((status = optinc_spec_check(spec, log)))
        return status;
    digits = optinc_spec_digits_in(spec);
    if (input_merge < 1 || input_merge > digits)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%u digits merged, expected 1 .. %u",
                       input_merge, digits);
    *result = (optinc_preprocessing){.cases_symbols = pow(4.0, (double)digits * spec->ports),
                                     .cases_digits = pow(3.0 * spec->ports + 1.0, digits),
                                     .cases_inputs = 1.0};
    for (uint32_t first = 0; first < digits; first += input_merge) {
        uint32_t count = digits - first < input_merge ? digits - first : input_merge;

        result->cases_inputs *= spec->ports * (ldexp(1.0, (int)(2 * count)) - 1.0) + 1.0;
        result->input_count++;
    }
    return OPTINC_OK;
}

static uint64_t mesh_mzis(uint64_t side)
{
    return side * (side - 1) / 2;
}

optinc_status optinc_train_cost_of(const optinc_spec *spec, const optinc_train_options *options,
                                   const optinc_log *log, optinc_train_cost *cost)
{
    oi_train_plan plan;
    optinc_status status;

    if (!cost)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "no place for the cost");
    status = oi_train_plan_create(spec, options, log, &plan);
    *cost = (optinc_train_cost){0};
    for (uint32_t i = 0; i < plan.layer_count && !status; i++) {
        const oi_train_layer *layer = &plan.layers[i];
        uint64_t large = layer->rows > layer->cols ? layer->rows : layer->cols;
        uint64_t svd = mesh_mzis(layer->rows) + mesh_mzis(layer->cols) + large;

        cost->mzis_svd += svd;
        cost->mzis +=
            layer->side ? layer->block_count * (mesh_mzis(layer->side) + layer->side) : svd;
    }
    oi_train_plan_destroy(&plan);
    return status;
}
