/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of optinc_circuit_export, read back. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "optics/import.h"

#define ITEM_SIZE 32

static optinc_status reject(const oi_import *import, const char *key, const char *expected)
{
    return oi_fail(import->log, OPTINC_ERR_FORMAT, "%s: '%s': expected %s", import->name, key,
                   expected);
}

static optinc_status read_count(const oi_import *import, const json_t *object, const char *item,
                                const char *key, uint32_t low, uint32_t high, uint32_t *count)
{
    const json_t *value = json_object_get(object, key);
    optinc_status status;

    if (!json_is_integer(value))
        return oi_fail(import->log, OPTINC_ERR_FORMAT, "%s: %s: '%s': expected a whole number",
                       import->name, item, key);
    status = oi_import_range(import, "netlist", item, key, (double)json_integer_value(value), low,
                             high, false);
    if (!status)
        *count = (uint32_t)json_integer_value(value);
    return status;
}

static optinc_status read_number(const oi_import *import, const json_t *object, const char *item,
                                 const char *key, double low, double high, bool angle,
                                 double *number)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_number(value))
        return oi_fail(import->log, OPTINC_ERR_FORMAT, "%s: %s: '%s': expected a number",
                       import->name, item, key);
    *number = json_number_value(value);
    return oi_import_range(import, "netlist", item, key, *number, low, high, angle);
}

/* A list of `count` modes, all different. used [modes] is all false. */
static optinc_status read_modes(const oi_import *import, const json_t *top, const char *key,
                                uint32_t count, uint32_t modes, bool *used, uint32_t *list)
{
    const json_t *values = json_object_get(top, key);

    if (!json_is_array(values) || json_array_size(values) != count)
        return oi_fail(import->log, OPTINC_ERR_FORMAT, "%s: '%s': expected a list of %u modes",
                       import->name, key, count);
    for (uint32_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(values, i);
        json_int_t mode = json_integer_value(value);

        if (!json_is_integer(value) || mode < 0 || mode >= (json_int_t)modes || used[(size_t)mode])
            return oi_fail(import->log, OPTINC_ERR_FORMAT,
                           "%s: '%s': entry %u: expected a mode below %u that is not there yet",
                           import->name, key, i, modes);
        used[(size_t)mode] = true;
        list[i] = (uint32_t)mode;
    }
    return OPTINC_OK;
}

static optinc_status read_numbers(const oi_import *import, const json_t *top, const char *key,
                                  uint32_t count, bool angle, double *list)
{
    const json_t *values = json_object_get(top, key);

    if (!json_is_array(values) || json_array_size(values) != count)
        return oi_fail(import->log, OPTINC_ERR_FORMAT, "%s: '%s': expected a list of %u numbers",
                       import->name, key, count);
    for (uint32_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(values, i);
        char item[ITEM_SIZE];
        optinc_status status;

        snprintf(item, sizeof item, "entry %u", i);
        if (!json_is_number(value))
            return oi_fail(import->log, OPTINC_ERR_FORMAT, "%s: '%s': %s: expected a number",
                           import->name, key, item);
        list[i] = json_number_value(value);
        status = oi_import_range(import, key, item, "value", list[i], angle ? 0 : -1e300,
                                 angle ? OI_TWO_PI : 1e300, angle);
        if (status)
            return status;
    }
    return OPTINC_OK;
}

static optinc_status read_element(const oi_import *import, const json_t *value, size_t index,
                                  uint32_t modes, optinc_element *element)
{
    const char *kind = json_string_value(json_object_get(value, "kind"));
    char item[ITEM_SIZE];
    optinc_status status;

    *element = (optinc_element){0};
    snprintf(item, sizeof item, "element %zu", index);
    if (!kind || (strcmp(kind, "mzi") != 0 && strcmp(kind, "splitter") != 0))
        return oi_fail(import->log, OPTINC_ERR_FORMAT,
                       "%s: %s: 'kind' is '%.32s', expected mzi or splitter", import->name, item,
                       kind ? kind : "");
    element->splitter = kind[0] == 's';
    status = read_count(import, value, item, "mode_a", 0, modes - 1, &element->mode_a);
    if (!status)
        status = read_count(import, value, item, "mode_b", 0, modes - 1, &element->mode_b);
    if (!status && element->mode_a == element->mode_b)
        status = oi_fail(import->log, OPTINC_ERR_FORMAT,
                         "%s: %s: mode_a and mode_b are both %u, expected two modes", import->name,
                         item, element->mode_a);
    if (!status && element->splitter)
        return read_number(import, value, item, "angle_rad", -OI_TWO_PI, OI_TWO_PI, false,
                           &element->angle_rad);
    if (!status)
        status = read_number(import, value, item, "in_rad", 0, OI_TWO_PI, true, &element->in_rad);
    if (!status)
        status =
            read_number(import, value, item, "arm_a_rad", 0, OI_TWO_PI, true, &element->arm_a_rad);
    if (!status)
        status =
            read_number(import, value, item, "arm_b_rad", 0, OI_TWO_PI, true, &element->arm_b_rad);
    return status;
}

static optinc_status read_lists(const oi_import *import, const json_t *top, optinc_circuit *circuit)
{
    bool *used = oi_allocate(circuit->mode_count, 2 * sizeof *used);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (used)
        status = read_modes(import, top, "input_mode", circuit->cols, circuit->mode_count, used,
                            circuit->input_mode);
    if (!status)
        status = read_modes(import, top, "output_mode", circuit->rows, circuit->mode_count,
                            used + circuit->mode_count, circuit->output_mode);
    if (!status)
        status = read_numbers(import, top, "output_rad", circuit->rows, true, circuit->output_rad);
    if (!status)
        status = read_numbers(import, top, "gain", circuit->rows, false, circuit->gain);
    oi_free(used);
    return status;
}

static optinc_status read_top(oi_import *import, const json_t *top, optinc_circuit **circuit)
{
    const char *format = json_string_value(json_object_get(top, "format"));
    const json_t *elements = json_object_get(top, "elements");
    uint32_t rows = 0, cols = 0, modes = 0;
    size_t count = json_array_size(elements);
    optinc_status status;

    if (!format || strcmp(format, "optinc-circuit") != 0)
        return reject(import, "format", "\"optinc-circuit\"");
    if (!json_is_array(elements) || count >= UINT32_MAX / 4)
        return reject(import, "elements", "a list");
    status = read_count(import, top, "circuit", "rows", 1, OPTINC_MESH_SIDE_MAX, &rows);
    if (!status)
        status = read_count(import, top, "circuit", "cols", 1, OPTINC_MESH_SIDE_MAX, &cols);
    /* more modes than inputs and elements could use would be memory for nothing */
    if (!status)
        status = read_count(import, top, "circuit", "modes", rows > cols ? rows : cols,
                            (uint32_t)(rows + cols + 2 * count), &modes);
    if (!status)
        status = read_number(import, top, "circuit", "mzi_loss_db", 0, 30, false,
                             &import->losses.mzi_loss_db);
    if (!status)
        status = read_number(import, top, "circuit", "splitter_loss_db", 0, 30, false,
                             &import->losses.splitter_loss_db);
    if (!status)
        status = oi_circuit_allocate(rows, cols, modes, circuit);
    if (!status)
        status = read_lists(import, top, *circuit);
    for (size_t i = 0; i < count && !status; i++) {
        optinc_element element;

        status = read_element(import, json_array_get(elements, i), i, modes, &element);
        if (!status)
            status = oi_circuit_add(*circuit, &element);
    }
    return status ? status : oi_circuit_finish(*circuit);
}

optinc_status oi_import_json(oi_import *import, const uint8_t *bytes, size_t size,
                             optinc_circuit **circuit)
{
    json_error_t error;
    json_t *top;
    optinc_status status = oi_json_parse(bytes, size, &top, &error);

    if (status == OPTINC_ERR_OUT_OF_MEMORY)
        return oi_fail(import->log, status, "%s: no memory for its JSON", import->name);
    if (status)
        return oi_fail(import->log, status, "%s:%d: not JSON: %.120s", import->name, error.line,
                       error.text);
    status = read_top(import, top, circuit);
    json_decref(top);
    return status;
}
