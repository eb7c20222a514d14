/* SPDX-License-Identifier: Apache-2.0 */
/* A design to the bytes of its file. */
#include "base/log.h"
#include "base/memory.h"
#include "design/crc64.h"
#include "design/file_format.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BYTES_AT_ONCE 4096u

/* NULL in, NULL out: Jansson's setters take the failure on, so one check at the end suffices. */
static json_t *text_of_u64(uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

static json_t *number_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *spec_json(const optinc_spec *spec)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:s, s:I}", "ports", (json_int_t)spec->ports, "bits_in",
                     (json_int_t)spec->bits_in, "bits_out", (json_int_t)spec->bits_out,
                     "divisor_log2", (json_int_t)spec->divisor_log2, "variant",
                     oi_variant_names[spec->variant], "zero_code", (json_int_t)spec->zero_code);
}

static json_t *proof_json(const optinc_proof *proof)
{
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o}", "kind", oi_proof_names[proof->kind], "exact",
                     proof->exact, "cases", text_of_u64(proof->cases), "errors",
                     text_of_u64(proof->errors), "margin_min", number_or_null(proof->margin_min),
                     "error_bound", number_or_null(proof->error_bound));
}

static json_t *unit_json(const optinc_unit *unit)
{
    json_t *inputs = json_array();
    json_t *layers = json_array();
    int failed = 0;

    for (uint32_t i = 0; i < unit->input_count; i++)
        failed |= json_array_append_new(inputs, json_pack("{s:I, s:I, s:f}", "digit_first",
                                                          (json_int_t)unit->inputs[i].digit_first,
                                                          "digit_count",
                                                          (json_int_t)unit->inputs[i].digit_count,
                                                          "scale", unit->inputs[i].scale));
    for (uint32_t i = 0; i < unit->layer_count; i++)
        failed |= json_array_append_new(
            layers, json_pack("{s:s, s:s, s:I}", "activation",
                              oi_activation_names[unit->layers[i].activation], "mapping",
                              oi_mapping_names[unit->layers[i].mapping], "segment_side",
                              (json_int_t)unit->layers[i].segment_side));
    if (failed) {
        json_decref(inputs);
        json_decref(layers);
        return NULL;
    }
    return json_pack("{s:o, s:s, s:o, s:f, s:o, s:o, s:o}", "spec", spec_json(&unit->spec),
                     "method", oi_method_names[unit->method], "seed", text_of_u64(unit->seed),
                     "gap", unit->gap, "inputs", inputs, "layers", layers, "proof",
                     proof_json(&unit->proof));
}

/* Into memory of its full size: json_dumps, which lets it grow, leaves out a key for which that
 * fails. To be freed with oi_free; NULL if memory is out. */
static char *text_of(const json_t *json)
{
    size_t length = json_dumpb(json, NULL, 0, JSON_COMPACT);
    char *text = length > 0 ? oi_allocate(length + 1, 1) : NULL;

    if (text && json_dumpb(json, text, length, JSON_COMPACT) != length) {
        oi_free(text);
        text = NULL;
    }
    return text;
}

/* The "optinc" text, as text_of. */
static char *describe(const optinc_design *design)
{
    json_t *levels = json_array();
    json_t *root = json_pack("{s:o}", "levels", levels);
    char *text = NULL;
    int failed = 0;

    for (uint32_t level = 0; root && level < optinc_design_level_count(design); level++)
        failed |= json_array_append_new(levels, unit_json(optinc_design_unit(design, level)));
    if (root && !failed)
        text = text_of(root);
    json_decref(root);
    return text;
}

static size_t table_entry_size(const optinc_unit *unit)
{
    return unit->spec.bits_out <= 8 ? 1 : unit->spec.bits_out <= 16 ? 2 : 4;
}

/* Adds a tensor that starts at *offset; cols 0: it has one dimension. */
static int add_tensor(json_t *header, const char *name, size_t entry_size, bool is_float,
                      size_t rows, size_t cols, size_t *offset)
{
    const char *dtype = is_float ? "F64" : entry_size == 1 ? "U8" : entry_size == 2 ? "U16" : "U32";
    size_t begin = *offset;
    json_t *shape = cols ? json_pack("[I, I]", (json_int_t)rows, (json_int_t)cols)
                         : json_pack("[I]", (json_int_t)rows);

    *offset += rows * (cols ? cols : 1) * entry_size; /* all of it is in memory: no overflow */
    return json_object_set_new(header, name,
                               json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape,
                                         "data_offsets", (json_int_t)begin, (json_int_t)*offset));
}

/* Wide entries first, so that every tensor is aligned to its entries: the F64 ones in order, then
 * the tables by falling size. emit_tensors follows the same order. */
static int add_tensors(json_t *header, const optinc_design *design)
{
    char name[OI_FILE_TENSOR_NAME_MAX + 1];
    size_t offset = 0;
    int failed = 0;

    for (uint32_t level = 0; level < optinc_design_level_count(design); level++) {
        const optinc_unit *unit = optinc_design_unit(design, level);

        for (uint32_t i = 0; i < unit->layer_count; i++) {
            const optinc_layer *layer = &unit->layers[i];

            snprintf(name, sizeof name, "levels.%u.layers.%u.weight", level, i);
            failed |= add_tensor(header, name, 8, true, layer->rows, layer->cols, &offset);
            snprintf(name, sizeof name, "levels.%u.layers.%u.bias", level, i);
            failed |= add_tensor(header, name, 8, true, layer->rows, 0, &offset);
        }
    }
    for (size_t size = 4; size > 0; size /= 2) {
        for (uint32_t level = 0; level < optinc_design_level_count(design); level++) {
            const optinc_unit *unit = optinc_design_unit(design, level);

            if (!unit->table || table_entry_size(unit) != size)
                continue;
            snprintf(name, sizeof name, "levels.%u.table", level);
            failed |= add_tensor(header, name, size, false, unit->table_count, 0, &offset);
        }
    }
    return failed;
}

/* The header's JSON with a checksum of zeros. NULL if memory is out. */
static json_t *make_header(const optinc_design *design)
{
    char *described = describe(design);
    json_t *header = json_object();
    bool failed =
        !described ||
        json_object_set_new(header, "__metadata__",
                            json_pack("{s:s, s:s, s:s, s:s}", "checksum", "0000000000000000",
                                      "format", OI_FILE_FORMAT, "format_version",
                                      OI_FILE_FORMAT_VERSION, "optinc", described)) ||
        add_tensors(header, design);

    oi_free(described);
    if (failed) {
        json_decref(header);
        return NULL;
    }
    return header;
}

static optinc_status emit_doubles(const oi_sink *sink, const double *values, size_t count)
{
    uint8_t bytes[BYTES_AT_ONCE];

    for (size_t first = 0; first < count; first += BYTES_AT_ONCE / 8) {
        size_t part = count - first < BYTES_AT_ONCE / 8 ? count - first : BYTES_AT_ONCE / 8;
        optinc_status status;

        for (size_t i = 0; i < part; i++) {
            uint64_t word;

            memcpy(&word, &values[first + i], sizeof word);
            for (size_t k = 0; k < 8; k++)
                bytes[8 * i + k] = (uint8_t)(word >> (8 * k));
        }
        status = sink->write(sink->user, bytes, 8 * part);
        if (status)
            return status;
    }
    return OPTINC_OK;
}

static optinc_status emit_table(const oi_sink *sink, const optinc_unit *unit)
{
    uint8_t bytes[BYTES_AT_ONCE];
    size_t size = table_entry_size(unit);
    size_t at_once = BYTES_AT_ONCE / size;

    for (size_t first = 0; first < unit->table_count; first += at_once) {
        size_t left = unit->table_count - first;
        size_t part = left < at_once ? left : at_once;
        optinc_status status;

        for (size_t i = 0; i < part; i++) {
            for (size_t k = 0; k < size; k++)
                bytes[size * i + k] = (uint8_t)(unit->table[first + i] >> (8 * k));
        }
        status = sink->write(sink->user, bytes, size * part);
        if (status)
            return status;
    }
    return OPTINC_OK;
}

static optinc_status emit_tensors(const oi_sink *sink, const optinc_design *design)
{
    optinc_status status = OPTINC_OK;

    for (uint32_t level = 0; level < optinc_design_level_count(design); level++) {
        const optinc_unit *unit = optinc_design_unit(design, level);

        for (uint32_t i = 0; !status && i < unit->layer_count; i++) {
            const optinc_layer *layer = &unit->layers[i];

            status = emit_doubles(sink, layer->weight, (size_t)layer->rows * layer->cols);
            if (!status)
                status = emit_doubles(sink, layer->bias, layer->rows);
        }
    }
    for (size_t size = 4; size > 0; size /= 2) {
        for (uint32_t level = 0; !status && level < optinc_design_level_count(design); level++) {
            const optinc_unit *unit = optinc_design_unit(design, level);

            if (unit->table && table_entry_size(unit) == size)
                status = emit_table(sink, unit);
        }
    }
    return status;
}

static optinc_status sum_up(void *user, const void *data, size_t size)
{
    oi_crc64_update(user, data, size);
    return OPTINC_OK;
}

optinc_status oi_file_write(const optinc_design *design, const oi_sink *sink, const optinc_log *log)
{
    json_t *header = make_header(design);
    size_t length = header ? json_dumpb(header, NULL, 0, JSON_COMPACT) : 0;
    size_t padded = (length + OI_FILE_ALIGNMENT - 1) / OI_FILE_ALIGNMENT * OI_FILE_ALIGNMENT;
    uint8_t *head = oi_allocate(OI_FILE_LENGTH_SIZE + padded, 1);
    char digits[OI_FILE_CHECKSUM_DIGITS + 1];
    oi_crc64 crc;
    optinc_status status;

    if (length == 0 || !head ||
        json_dumpb(header, (char *)head + OI_FILE_LENGTH_SIZE, length, JSON_COMPACT) != length) {
        status = oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "design: no memory for the file's header");
        goto done;
    }
    if (padded > OI_FILE_HEADER_MAX) {
        status = oi_fail(log, OPTINC_ERR_OVERFLOW,
                         "design: the file's header needs %zu bytes, at most %u are allowed",
                         padded, OI_FILE_HEADER_MAX);
        goto done;
    }
    for (size_t i = 0; i < OI_FILE_LENGTH_SIZE; i++)
        head[i] = (uint8_t)(padded >> (8 * i));
    memset(head + OI_FILE_LENGTH_SIZE + length, ' ', padded - length);

    oi_crc64_begin(&crc);
    oi_crc64_update(&crc, head, OI_FILE_LENGTH_SIZE + padded);
    status = emit_tensors(&(oi_sink){.write = sum_up, .user = &crc}, design);
    if (status)
        goto done;
    snprintf(digits, sizeof digits, "%016" PRIx64, oi_crc64_end(&crc));
    memcpy(head + oi_file_checksum_offset(head, padded), digits, OI_FILE_CHECKSUM_DIGITS);

    status = sink->write(sink->user, head, OI_FILE_LENGTH_SIZE + padded);
    if (!status)
        status = emit_tensors(sink, design);
done:
    oi_free(head);
    json_decref(header);
    return status;
}
