/* SPDX-License-Identifier: Apache-2.0 */
/* A checked file's JSON and tensors to a design. */
#include "base/log.h"
#include "base/memory.h"
#include "design/file_header.h"
#include "design/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_SIZE 64

/* An object of the file with the path that messages name it by. */
typedef struct node {
    const oi_file *file;
    const json_t *json;
    char path[FIELD_SIZE];
} node;

static optinc_status wrong(const node *at, const char *key, const char *expected)
{
    char found[48];

    return oi_fail(at->file->log, OPTINC_ERR_FORMAT, "%s: %s.%s: found %s, expected %s",
                   at->file->name, at->path, key,
                   oi_json_describe(json_object_get(at->json, key), found), expected);
}

/* The object under a key, or element `index` of the array under it if that is not negative. */
static optinc_status enter(const node *at, const char *key, int64_t index, size_t keys, node *child)
{
    const json_t *json = json_object_get(at->json, key);

    child->file = at->file;
    child->json = index < 0 ? json : json_array_get(json, (size_t)index);
    if (index < 0)
        snprintf(child->path, sizeof child->path, "%.40s.%s", at->path, key);
    else
        snprintf(child->path, sizeof child->path, "%.32s.%s.%" PRId64, at->path, key, index);
    if (json_is_object(child->json) && json_object_size(child->json) == keys)
        return OPTINC_OK;
    return oi_fail(at->file->log, OPTINC_ERR_FORMAT, "%s: %s: expected an object of %zu keys",
                   at->file->name, child->path, keys);
}

static optinc_status get_u32(const node *at, const char *key, uint32_t *value)
{
    const json_t *json = json_object_get(at->json, key);

    if (!json_is_integer(json) || json_integer_value(json) < 0 ||
        json_integer_value(json) > (json_int_t)UINT32_MAX)
        return wrong(at, key, "an integer from 0 to 2^32-1");
    *value = (uint32_t)json_integer_value(json);
    return OPTINC_OK;
}

/* Decimal digits alone: no sign, no blanks, no leading zeros. */
static optinc_status get_u64_text(const node *at, const char *key, uint64_t *value)
{
    const char *text = json_string_value(json_object_get(at->json, key));
    char *end;

    if (!text || text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != '\0'))
        return wrong(at, key, "a string of decimal digits");
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno || *end != '\0')
        return wrong(at, key, "a string of decimal digits below 2^64");
    return OPTINC_OK;
}

static optinc_status get_double(const node *at, const char *key, bool or_null, double *value)
{
    const json_t *json = json_object_get(at->json, key);

    if (or_null && json_is_null(json)) {
        *value = NAN;
        return OPTINC_OK;
    }
    if (!json_is_number(json))
        return wrong(at, key, or_null ? "a number or null" : "a number");
    *value = json_number_value(json);
    return OPTINC_OK;
}

static optinc_status get_name(const node *at, const char *key, const char *const *names, int *value)
{
    const char *text = json_string_value(json_object_get(at->json, key));
    char expected[96] = "one of";

    for (int i = 0; names[i]; i++) {
        size_t length = strlen(expected);

        if (text && strcmp(text, names[i]) == 0) {
            *value = i;
            return OPTINC_OK;
        }
        snprintf(expected + length, sizeof expected - length, " %s", names[i]);
    }
    return wrong(at, key, expected);
}

static optinc_status read_spec(const node *unit_at, optinc_spec *spec)
{
    node at;
    int variant = 0;
    optinc_status status = enter(unit_at, "spec", -1, 6, &at);

    if (!status)
        status = get_u32(&at, "ports", &spec->ports);
    if (!status)
        status = get_u32(&at, "bits_in", &spec->bits_in);
    if (!status)
        status = get_u32(&at, "bits_out", &spec->bits_out);
    if (!status)
        status = get_u32(&at, "divisor_log2", &spec->divisor_log2);
    if (!status)
        status = get_name(&at, "variant", oi_variant_names, &variant);
    if (status)
        return status;
    spec->variant = (optinc_variant)variant;
    if (!json_is_integer(json_object_get(at.json, "zero_code")) ||
        json_integer_value(json_object_get(at.json, "zero_code")) < 0)
        return wrong(&at, "zero_code", "an integer from 0 to 2^63-1");
    spec->zero_code = (uint64_t)json_integer_value(json_object_get(at.json, "zero_code"));
    return OPTINC_OK;
}

static optinc_status read_proof(const node *unit_at, optinc_proof *proof)
{
    node at;
    int kind = 0;
    optinc_status status = enter(unit_at, "proof", -1, 6, &at);

    if (!status)
        status = get_name(&at, "kind", oi_proof_names, &kind);
    if (!status && !json_is_boolean(json_object_get(at.json, "exact")))
        status = wrong(&at, "exact", "true or false");
    if (!status)
        status = get_u64_text(&at, "cases", &proof->cases);
    if (!status)
        status = get_u64_text(&at, "errors", &proof->errors);
    if (!status)
        status = get_double(&at, "margin_min", true, &proof->margin_min);
    if (!status)
        status = get_double(&at, "error_bound", true, &proof->error_bound);
    if (status)
        return status;
    proof->kind = (optinc_proof_kind)kind;
    proof->exact = json_is_true(json_object_get(at.json, "exact"));
    return OPTINC_OK;
}

static optinc_status get_count(const node *at, const char *key, uint32_t max, uint32_t *count)
{
    const json_t *json = json_object_get(at->json, key);

    if (!json_is_array(json))
        return wrong(at, key, "an array");
    if (json_array_size(json) > max)
        return oi_fail(at->file->log, OPTINC_ERR_OVERFLOW,
                       "%s: %s.%s: found %zu entries, expected at most %u", at->file->name,
                       at->path, key, json_array_size(json), max);
    *count = (uint32_t)json_array_size(json);
    return OPTINC_OK;
}

static optinc_status no_memory(const oi_file *file)
{
    return oi_fail(file->log, OPTINC_ERR_OUT_OF_MEMORY, "%s: no memory for the design", file->name);
}

static optinc_status read_inputs(const node *unit_at, optinc_unit *unit)
{
    uint32_t count = 0;
    optinc_input *inputs;
    optinc_status status = get_count(unit_at, "inputs", OI_INPUTS_MAX, &count);

    if (status)
        return status;
    inputs = oi_allocate(count, sizeof *inputs);
    unit->inputs = inputs;
    if (!inputs)
        return no_memory(unit_at->file);
    unit->input_count = count;
    for (uint32_t i = 0; !status && i < count; i++) {
        node at;

        status = enter(unit_at, "inputs", i, 3, &at);
        if (!status)
            status = get_u32(&at, "digit_first", &inputs[i].digit_first);
        if (!status)
            status = get_u32(&at, "digit_count", &inputs[i].digit_count);
        if (!status)
            status = get_double(&at, "scale", false, &inputs[i].scale);
    }
    return status;
}

/* The values of a tensor that must be F64 [rows] or [rows, cols] with sides up to
 * OPTINC_LAYER_SIDE_MAX; a new array, owned by the caller. */
static optinc_status read_doubles(const oi_file *file, const char *name, uint32_t rank,
                                  uint32_t shape[2], const double **values)
{
    oi_tensor *tensor = oi_file_tensor(file, name);
    size_t count = 1;
    double *copy;

    if (!tensor)
        return oi_fail(file->log, OPTINC_ERR_FORMAT, "%s: %s: no such tensor, expected it",
                       file->name, name);
    if (tensor->dtype != OI_DTYPE_F64 || tensor->rank != rank)
        return oi_fail(file->log, OPTINC_ERR_FORMAT, "%s: %s: expected dtype F64 and %u dimensions",
                       file->name, name, rank);
    for (uint32_t i = 0; i < rank; i++) {
        if (tensor->shape[i] > OPTINC_LAYER_SIDE_MAX)
            return oi_fail(file->log, OPTINC_ERR_OVERFLOW,
                           "%s: %s.shape[%u]: found %zu, expected at most %u", file->name, name, i,
                           tensor->shape[i], OPTINC_LAYER_SIDE_MAX);
        shape[i] = (uint32_t)tensor->shape[i];
        count *= tensor->shape[i];
    }
    copy = oi_allocate(count, sizeof *copy);
    if (!copy)
        return no_memory(file);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = file->data + tensor->begin + 8 * i;
        uint64_t word = 0;

        for (int k = 0; k < 8; k++)
            word |= (uint64_t)bytes[k] << (8 * k);
        memcpy(&copy[i], &word, sizeof word);
    }
    tensor->used = true;
    *values = copy;
    return OPTINC_OK;
}

static optinc_status read_layer(const node *unit_at, uint32_t level, uint32_t index,
                                optinc_layer *layer)
{
    char name[FIELD_SIZE];
    uint32_t shape[2] = {0, 0};
    uint32_t length[2] = {0, 0};
    int activation = 0;
    int mapping = 0;
    node at;
    optinc_status status = enter(unit_at, "layers", index, 3, &at);

    if (!status)
        status = get_name(&at, "activation", oi_activation_names, &activation);
    if (!status)
        status = get_name(&at, "mapping", oi_mapping_names, &mapping);
    if (!status)
        status = get_u32(&at, "segment_side", &layer->segment_side);
    if (status)
        return status;
    layer->activation = (optinc_activation)activation;
    layer->mapping = (optinc_mapping)mapping;
    snprintf(name, sizeof name, "levels.%u.layers.%u.weight", level, index);
    status = read_doubles(at.file, name, 2, shape, &layer->weight);
    if (status)
        return status;
    layer->rows = shape[0];
    layer->cols = shape[1];
    snprintf(name, sizeof name, "levels.%u.layers.%u.bias", level, index);
    status = read_doubles(at.file, name, 1, length, &layer->bias);
    if (!status && length[0] != layer->rows)
        return oi_fail(at.file->log, OPTINC_ERR_FORMAT,
                       "%s: %s.shape: found [%u], expected [%u], the rows of the weight",
                       at.file->name, name, length[0], layer->rows);
    return status;
}

static optinc_status read_layers(const node *unit_at, uint32_t level, optinc_unit *unit)
{
    uint32_t count = 0;
    optinc_layer *layers;
    optinc_status status = get_count(unit_at, "layers", OPTINC_LAYERS_MAX, &count);

    if (status)
        return status;
    layers = oi_allocate(count, sizeof *layers);
    unit->layers = layers;
    if (!layers)
        return no_memory(unit_at->file);
    unit->layer_count = count;
    for (uint32_t i = 0; !status && i < count; i++)
        status = read_layer(unit_at, level, i, &layers[i]);
    return status;
}

/* The table is there or not: a design need not have one. */
static optinc_status read_table(const oi_file *file, uint32_t level, optinc_unit *unit)
{
    char name[FIELD_SIZE];
    oi_tensor *tensor;
    size_t entry_size;
    uint32_t *table;

    snprintf(name, sizeof name, "levels.%u.table", level);
    tensor = oi_file_tensor(file, name);
    if (!tensor)
        return OPTINC_OK;
    if (tensor->dtype == OI_DTYPE_F64 || tensor->rank != 1)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: %s: expected dtype U8, U16 or U32 and 1 dimension", file->name, name);
    entry_size = (tensor->end - tensor->begin) / tensor->shape[0];
    table = oi_allocate(tensor->shape[0], sizeof *table);
    if (!table)
        return no_memory(file);
    for (size_t i = 0; i < tensor->shape[0]; i++) {
        const uint8_t *bytes = file->data + tensor->begin + entry_size * i;

        for (size_t k = 0; k < entry_size; k++)
            table[i] |= (uint32_t)bytes[k] << (8 * k);
    }
    tensor->used = true;
    unit->table = table;
    unit->table_count = tensor->shape[0];
    return OPTINC_OK;
}

static optinc_status read_unit(const node *root, uint32_t level, optinc_unit *unit)
{
    node at;
    int method = 0;
    optinc_status status = enter(root, "levels", level, 7, &at);

    if (!status) {
        snprintf(at.path, sizeof at.path, "levels.%u", level);
        status = read_spec(&at, &unit->spec);
    }
    if (!status)
        status = get_name(&at, "method", oi_method_names, &method);
    if (!status)
        status = get_u64_text(&at, "seed", &unit->seed);
    if (!status)
        status = get_double(&at, "gap", false, &unit->gap);
    if (!status)
        status = read_proof(&at, &unit->proof);
    if (!status)
        status = read_inputs(&at, unit);
    if (!status)
        status = read_layers(&at, level, unit);
    if (!status)
        status = read_table(at.file, level, unit);
    unit->method = (optinc_method)method;
    return status;
}

static optinc_status read_levels(const oi_file *file, optinc_design *design)
{
    node root = {.file = file, .json = file->body, .path = "optinc"};
    uint32_t level_count = 0;
    optinc_status status;

    if (!json_is_object(root.json) || json_object_size(root.json) != 1)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: __metadata__.optinc: expected an object of the key levels alone",
                       file->name);
    status = get_count(&root, "levels", OPTINC_LEVELS_MAX, &level_count);
    for (uint32_t level = 0; !status && level < level_count; level++) {
        design->level_count = level + 1;
        status = read_unit(&root, level, &design->units[level]);
    }
    if (status)
        return status;
    for (size_t i = 0; i < file->tensor_count; i++) {
        if (!file->tensors[i].used)
            return oi_fail(file->log, OPTINC_ERR_FORMAT, "%s: %s: a tensor of no known use",
                           file->name, file->tensors[i].name);
    }
    return OPTINC_OK;
}

optinc_status optinc_design_parse(const uint8_t *bytes, size_t size, const char *name,
                                  const optinc_log *log, optinc_design **design)
{
    optinc_design *made;
    oi_file file;
    optinc_status status;

    if (design)
        *design = NULL;
    if (!design || (!bytes && size))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "design: a pointer is NULL");
    status = oi_file_open(bytes, size, name ? name : "design", log, &file);
    if (status)
        return status;
    made = oi_allocate(1, sizeof *made);
    if (!made) {
        status = no_memory(&file);
        goto close_file;
    }
    status = read_levels(&file, made);
    if (!status) {
        status = oi_design_check(made->units, made->level_count, name, log);
        /* what is a wrong argument in a program is malformed data in a file */
        if (status == OPTINC_ERR_INVALID_ARGUMENT || status == OPTINC_ERR_NON_FINITE)
            status = OPTINC_ERR_FORMAT;
    }
    if (status) {
        optinc_design_destroy(&made);
        goto close_file;
    }
    made->checksum = oi_design_checksum(made);
    *design = made;
close_file:
    oi_file_close(&file);
    return status;
}
