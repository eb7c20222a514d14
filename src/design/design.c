/* SPDX-License-Identifier: Apache-2.0 */
/* The design as an object: deep copies of its units, and what can be read from it. */
#include "base/log.h"
#include "base/memory.h"
#include "design/internal.h"

void oi_unit_clear(optinc_unit *unit)
{
    for (uint32_t i = 0; unit->layers && i < unit->layer_count; i++) {
        oi_free((void *)unit->layers[i].weight);
        oi_free((void *)unit->layers[i].bias);
    }
    oi_free((void *)unit->layers);
    oi_free((void *)unit->inputs);
    oi_free((void *)unit->table);
    *unit = (optinc_unit){0};
}

static bool copy_layers(optinc_unit *copy, const optinc_unit *source)
{
    optinc_layer *layers = oi_allocate(source->layer_count, sizeof *layers);

    copy->layers = layers; /* owned by copy from here on, whole or not */
    copy->layer_count = source->layer_count;
    if (!layers)
        return false;
    for (uint32_t i = 0; i < source->layer_count; i++) {
        size_t weights = (size_t)source->layers[i].rows * source->layers[i].cols;

        layers[i] = source->layers[i];
        layers[i].weight = oi_duplicate(source->layers[i].weight, weights, sizeof(double));
        layers[i].bias =
            oi_duplicate(source->layers[i].bias, source->layers[i].rows, sizeof(double));
        if (!layers[i].weight || !layers[i].bias) {
            copy->layer_count = i + 1; /* the later ones are still the source's */
            return false;
        }
    }
    return true;
}

/* copy is left so that oi_unit_clear frees it, whether this succeeds or not. */
static bool copy_unit(optinc_unit *copy, const optinc_unit *source)
{
    *copy = *source;
    copy->layers = NULL;
    copy->layer_count = 0;
    copy->table = NULL;
    copy->inputs = oi_duplicate(source->inputs, source->input_count, sizeof *source->inputs);
    if (source->table)
        copy->table = oi_duplicate(source->table, source->table_count, sizeof *source->table);
    else
        copy->table_count = 0;
    return copy_layers(copy, source) && copy->inputs && (copy->table || !source->table);
}

optinc_status optinc_design_create(const optinc_unit *units, uint32_t level_count,
                                   const optinc_log *log, optinc_design **design)
{
    optinc_design *made;
    optinc_status status;

    if (!design)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design: out pointer is NULL");
    *design = NULL;
    if (!units)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design: units is NULL");
    status = oi_design_check(units, level_count, "design", log);
    if (status)
        return status;
    made = oi_allocate(1, sizeof *made);
    if (!made)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "design: no memory");
    for (uint32_t level = 0; level < level_count; level++) {
        made->level_count = level + 1;
        if (!copy_unit(&made->units[level], &units[level])) {
            optinc_design_destroy(&made);
            return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "design: no memory to copy level %u",
                           level);
        }
    }
    made->checksum = oi_design_checksum(made);
    *design = made;
    return OPTINC_OK;
}

void optinc_design_destroy(optinc_design **design)
{
    if (!design || !*design)
        return;
    for (uint32_t level = 0; level < (*design)->level_count; level++)
        oi_unit_clear(&(*design)->units[level]);
    oi_free(*design);
    *design = NULL;
}

uint32_t optinc_design_level_count(const optinc_design *design)
{
    return design->level_count;
}

const optinc_unit *optinc_design_unit(const optinc_design *design, uint32_t level)
{
    return level < design->level_count ? &design->units[level] : NULL;
}

uint32_t optinc_design_ports(const optinc_design *design)
{
    uint32_t ports = 1;

    for (uint32_t level = 0; level < design->level_count; level++)
        ports *= design->units[level].spec.ports;
    return ports;
}

uint32_t optinc_design_bits(const optinc_design *design)
{
    return design->units[0].spec.bits_in;
}

optinc_spec optinc_design_flat_spec(const optinc_design *design)
{
    const optinc_spec *first = &design->units[0].spec;
    const optinc_spec *last = &design->units[design->level_count - 1].spec;

    return (optinc_spec){.ports = optinc_design_ports(design),
                         .bits_in = first->bits_in,
                         .bits_out = last->bits_out,
                         .divisor_log2 = last->divisor_log2,
                         .variant = last->variant,
                         .zero_code = first->zero_code};
}

bool optinc_design_exact(const optinc_design *design)
{
    for (uint32_t level = 0; level < design->level_count; level++) {
        if (!design->units[level].proof.exact)
            return false;
    }
    return true;
}

uint64_t optinc_design_checksum(const optinc_design *design)
{
    return design->checksum;
}

optinc_status optinc_design_set_proof(optinc_design *design, uint32_t level,
                                      const optinc_proof *proof)
{
    optinc_status status;

    if (!design || !proof || level >= design->level_count)
        return OPTINC_ERR_INVALID_ARGUMENT;
    status = oi_design_check_proof(proof, level, "design", NULL);
    if (status)
        return status;
    design->units[level].proof = *proof;
    return OPTINC_OK;
}

optinc_status optinc_design_set_table(optinc_design *design, uint32_t level, const uint32_t *table,
                                      size_t table_count)
{
    optinc_unit *unit;
    uint32_t *copy;
    optinc_status status;

    if (!design || !table || level >= design->level_count)
        return OPTINC_ERR_INVALID_ARGUMENT;
    unit = &design->units[level];
    status = oi_design_check_table(&unit->spec, table, table_count, level, "design", NULL);
    if (status)
        return status;
    copy = oi_duplicate(table, table_count, sizeof *table);
    if (!copy)
        return OPTINC_ERR_OUT_OF_MEMORY;
    oi_free((void *)unit->table);
    unit->table = copy;
    unit->table_count = table_count;
    design->checksum = oi_design_checksum(design);
    return OPTINC_OK;
}
