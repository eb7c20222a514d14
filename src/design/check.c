/* SPDX-License-Identifier: Apache-2.0 */
/* What a design must satisfy, whether a program or a file brings it. */
#include "base/log.h"
#include "design/internal.h"

#include <math.h>
#include <stdio.h>

#define REASON_SIZE 256

uint64_t oi_table_count(const optinc_spec *spec)
{
    uint64_t count = optinc_spec_case_count(spec);

    if (spec->variant != OPTINC_VARIANT_STOCHASTIC)
        return count;
    if (__builtin_mul_overflow(count, UINT64_C(1) << spec->divisor_log2, &count))
        return UINT64_MAX;
    return count;
}

optinc_status oi_design_check_proof(const optinc_proof *proof, uint32_t level, const char *name,
                                    const optinc_log *log)
{
    const optinc_status bad = OPTINC_ERR_INVALID_ARGUMENT;

    if ((int)proof->kind < OPTINC_PROOF_NONE || (int)proof->kind > OPTINC_PROOF_SAMPLED)
        return oi_fail(log, bad, "%s: levels.%u.proof.kind: found %d, expected 0 to 3", name, level,
                       (int)proof->kind);
    if (proof->errors > proof->cases)
        return oi_fail(
            log, bad, "%s: levels.%u.proof.errors: found %llu, expected at most the %llu cases",
            name, level, (unsigned long long)proof->errors, (unsigned long long)proof->cases);
    if (proof->exact && (proof->errors > 0 || (proof->kind != OPTINC_PROOF_EXHAUSTIVE &&
                                               proof->kind != OPTINC_PROOF_COMPOSITIONAL)))
        return oi_fail(log, bad,
                       "%s: levels.%u.proof.exact: found true, expected false unless an exhaustive "
                       "or compositional proof found no error",
                       name, level);
    if (isinf(proof->margin_min))
        return oi_fail(log, bad, "%s: levels.%u.proof.margin_min: found infinity", name, level);
    if (!isnan(proof->error_bound) && !(proof->error_bound >= 0.0 && proof->error_bound <= 1.0))
        return oi_fail(log, bad,
                       "%s: levels.%u.proof.error_bound: found %g, expected 0 to 1 or NaN", name,
                       level, proof->error_bound);
    return OPTINC_OK;
}

optinc_status oi_design_check_table(const optinc_spec *spec, const uint32_t *table,
                                    size_t table_count, uint32_t level, const char *name,
                                    const optinc_log *log)
{
    uint64_t expected = oi_table_count(spec);
    uint64_t limit = UINT64_C(1) << spec->bits_out;

    if (table_count != expected)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels.%u.table: found %zu entries, expected %llu", name, level,
                       table_count, (unsigned long long)expected);
    for (size_t i = 0; i < table_count; i++) {
        if (table[i] >= limit)
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "%s: levels.%u.table[%zu]: found %u, expected less than 2^%u", name,
                           level, i, table[i], spec->bits_out);
    }
    return OPTINC_OK;
}

static optinc_status check_inputs(const optinc_unit *unit, uint32_t level, const char *name,
                                  const optinc_log *log)
{
    const optinc_status bad = OPTINC_ERR_INVALID_ARGUMENT;
    uint32_t digits = optinc_spec_digits_in(&unit->spec);
    uint32_t biases =
        unit->spec.variant == OPTINC_VARIANT_STOCHASTIC ? (unit->spec.divisor_log2 + 1) / 2 : 0;

    if (unit->input_count > OI_INPUTS_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW,
                       "%s: levels.%u.inputs: found %u, expected at most %u", name, level,
                       unit->input_count, OI_INPUTS_MAX);
    if (unit->input_count > 0 && !unit->inputs)
        return oi_fail(log, bad, "%s: levels.%u.inputs: NULL", name, level);
    for (uint32_t i = 0; i < unit->input_count; i++) {
        const optinc_input *input = &unit->inputs[i];
        bool is_bias = input->digit_first >= digits;
        uint32_t end = is_bias ? digits + biases : digits;

        if (input->digit_first >= end || input->digit_count < 1 ||
            input->digit_count > (is_bias ? 1 : end - input->digit_first))
            return oi_fail(log, bad,
                           "%s: levels.%u.inputs[%u]: found digits %u+%u, expected them within "
                           "the %u digits (bias ports: %u, each alone)",
                           name, level, i, input->digit_first, input->digit_count, digits, biases);
        if (!isfinite(input->scale))
            return oi_fail(log, OPTINC_ERR_NON_FINITE,
                           "%s: levels.%u.inputs[%u].scale: not a finite number", name, level, i);
    }
    return OPTINC_OK;
}

static optinc_status check_finite(const double *values, size_t count, uint32_t level,
                                  uint32_t layer, const char *field, const char *name,
                                  const optinc_log *log)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            return oi_fail(log, OPTINC_ERR_NON_FINITE,
                           "%s: levels.%u.layers.%u.%s[%zu]: found %g, expected a finite number",
                           name, level, layer, field, i, values[i]);
    }
    return OPTINC_OK;
}

static optinc_status check_layer(const optinc_layer *layer, uint32_t cols, uint32_t level,
                                 uint32_t index, const char *name, const optinc_log *log)
{
    const optinc_status bad = OPTINC_ERR_INVALID_ARGUMENT;
    bool segmented = layer->mapping == OPTINC_MAPPING_SEGMENTED;
    uint32_t side_max = layer->rows > layer->cols ? layer->rows : layer->cols;
    optinc_status status;

    if (layer->cols != cols)
        return oi_fail(log, bad,
                       "%s: levels.%u.layers.%u: found %u columns, expected %u, what it is fed",
                       name, level, index, layer->cols, cols);
    if (layer->rows < 1 || layer->rows > OPTINC_LAYER_SIDE_MAX || cols < 1 ||
        cols > OPTINC_LAYER_SIDE_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW,
                       "%s: levels.%u.layers.%u: found shape [%u, %u], expected sides 1 to %u",
                       name, level, index, layer->rows, cols, OPTINC_LAYER_SIDE_MAX);
    if ((int)layer->activation < 0 || (int)layer->activation > OPTINC_ACTIVATION_SATURATING)
        return oi_fail(log, bad, "%s: levels.%u.layers.%u.activation: found %d, expected 0 to 2",
                       name, level, index, (int)layer->activation);
    if ((int)layer->mapping < 0 || (int)layer->mapping > OPTINC_MAPPING_DIRECT)
        return oi_fail(log, bad, "%s: levels.%u.layers.%u.mapping: found %d, expected 0 to 2", name,
                       level, index, (int)layer->mapping);
    if (segmented ? layer->segment_side < 1 || layer->segment_side > side_max
                  : layer->segment_side != 0)
        return oi_fail(log, bad, "%s: levels.%u.layers.%u.segment_side: found %u, expected %s",
                       name, level, index, layer->segment_side,
                       segmented ? "1 to the layer's longer side" : "0, as it is not segmented");
    if (!layer->weight || !layer->bias)
        return oi_fail(log, bad, "%s: levels.%u.layers.%u: weight or bias is NULL", name, level,
                       index);
    status =
        check_finite(layer->weight, (size_t)layer->rows * cols, level, index, "weight", name, log);
    if (status)
        return status;
    return check_finite(layer->bias, layer->rows, level, index, "bias", name, log);
}

/* A unit without layers is a spec with a proof or a table: enough for the exact and table
 * backends. */
static optinc_status check_layers(const optinc_unit *unit, uint32_t level, const char *name,
                                  const optinc_log *log)
{
    uint32_t cols = unit->input_count;

    if (unit->layer_count > OPTINC_LAYERS_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW,
                       "%s: levels.%u.layers: found %u, expected at most %u", name, level,
                       unit->layer_count, OPTINC_LAYERS_MAX);
    if (unit->layer_count == 0)
        return OPTINC_OK;
    if (!unit->layers)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%s: levels.%u.layers: NULL", name, level);
    for (uint32_t i = 0; i < unit->layer_count; i++) {
        optinc_status status = check_layer(&unit->layers[i], cols, level, i, name, log);

        if (status)
            return status;
        cols = unit->layers[i].rows;
    }
    if (cols != optinc_spec_digits_out(&unit->spec))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels.%u.layers.%u: found %u rows, expected the %u digits of the "
                       "result",
                       name, level, unit->layer_count - 1, cols,
                       optinc_spec_digits_out(&unit->spec));
    if (unit->layers[unit->layer_count - 1].activation != OPTINC_ACTIVATION_LINEAR)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels.%u.layers.%u.activation: expected linear in the last layer",
                       name, level, unit->layer_count - 1);
    return OPTINC_OK;
}

static void keep_message(void *user, optinc_log_level level, const char *message)
{
    char *reason = user;

    (void)level;
    snprintf(reason, REASON_SIZE, "%s", message);
}

/* The reference room knows what a spec must be; its message gets the place in front. */
static optinc_status check_spec(const optinc_spec *spec, uint32_t level, const char *name,
                                const optinc_log *log)
{
    char reason[REASON_SIZE] = "not valid";
    optinc_log keep = {.write = keep_message, .user = reason};
    optinc_status status = optinc_spec_check(spec, &keep);

    if (status)
        return oi_fail(log, status, "%s: levels.%u.spec: %s", name, level, reason);
    return OPTINC_OK;
}

static optinc_status check_unit(const optinc_unit *unit, uint32_t level, const char *name,
                                const optinc_log *log)
{
    optinc_status status = check_spec(&unit->spec, level, name, log);

    if (status)
        return status;
    if (unit->method != OPTINC_METHOD_CONSTRUCTED && unit->method != OPTINC_METHOD_TRAINED)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels.%u.method: found %d, expected 0 or 1", name, level,
                       (int)unit->method);
    if (!(unit->gap >= 0.0 && unit->gap < 1.0))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels.%u.gap: found %g, expected 0 <= gap < 1", name, level,
                       unit->gap);
    status = check_inputs(unit, level, name, log);
    if (!status)
        status = check_layers(unit, level, name, log);
    if (!status && unit->table)
        status =
            oi_design_check_table(&unit->spec, unit->table, unit->table_count, level, name, log);
    if (!status)
        status = oi_design_check_proof(&unit->proof, level, name, log);
    return status;
}

/* A level takes what the one before it puts out: residual codes, and from an idle switch the sum
 * of its ports' zero codes. */
static optinc_status check_fit(const optinc_spec *below, const optinc_spec *above, uint32_t level,
                               const char *name, const optinc_log *log)
{
    uint64_t zero_code = below->zero_code * below->ports; /* < 2^48 * 2^6 */

    if (below->variant != OPTINC_VARIANT_RESIDUAL)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels.%u.spec.variant: found %d, expected residual (%d): only the "
                       "last level may round",
                       name, level - 1, (int)below->variant, (int)OPTINC_VARIANT_RESIDUAL);
    if (above->bits_in != below->bits_out)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels.%u.spec.bits_in: found %u, expected %u, the bits_out of the "
                       "level before",
                       name, level, above->bits_in, below->bits_out);
    if (above->zero_code != zero_code)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels.%u.spec.zero_code: found %llu, expected %llu, what an idle "
                       "switch below sends",
                       name, level, (unsigned long long)above->zero_code,
                       (unsigned long long)zero_code);
    return OPTINC_OK;
}

/* The last level alone cannot know how large its inputs get; with the servers' bits it is known. The
 * levels below have passed their checks, so a port of the last carries less than 2^48. */
static optinc_status check_result(const optinc_spec *first, const optinc_spec *last, uint32_t ports,
                                  const char *name, const optinc_log *log)
{
    uint64_t divisor = UINT64_C(1) << last->divisor_log2;
    uint64_t result = ports * ((UINT64_C(1) << first->bits_in) - 1);

    if (last->variant != OPTINC_VARIANT_RESIDUAL)
        result = (result + (last->variant == OPTINC_VARIANT_HALF_UP ? divisor / 2 : divisor - 1)) /
                 divisor;
    if (result >> last->bits_out != 0)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%s: levels: found results up to %llu, expected less than 2^%u, the "
                       "bits_out of the last level",
                       name, (unsigned long long)result, last->bits_out);
    return OPTINC_OK;
}

optinc_status oi_design_check(const optinc_unit *units, uint32_t level_count, const char *name,
                              const optinc_log *log)
{
    uint64_t ports = 1;

    if (level_count < 1 || level_count > OPTINC_LEVELS_MAX)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%s: levels: found %u, expected 1 to %u",
                       name, level_count, OPTINC_LEVELS_MAX);
    for (uint32_t level = 0; level < level_count; level++) {
        optinc_status status = check_unit(&units[level], level, name, log);

        if (!status && level > 0)
            status = check_fit(&units[level - 1].spec, &units[level].spec, level, name, log);
        if (status)
            return status;
        ports *= units[level].spec.ports; /* at most 2^(6 * 8) */
    }
    if (ports > OI_TREE_PORTS_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW,
                       "%s: levels: found %llu ports in the tree, expected at most %u", name,
                       (unsigned long long)ports, OI_TREE_PORTS_MAX);
    return level_count > 1 ? check_result(&units[0].spec, &units[level_count - 1].spec,
                                          (uint32_t)ports, name, log)
                           : OPTINC_OK;
}
