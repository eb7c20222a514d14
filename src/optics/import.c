/* SPDX-License-Identifier: Apache-2.0 */
#include "optics/import.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/number_text.h"

#define FILE_SIZE_MAX ((size_t)1 << 30)

optinc_status oi_import_range(const oi_import *import, const char *where, const char *item,
                              const char *key, double value, double low, double high, bool angle)
{
    if (value >= low && (angle ? value < high : value <= high))
        return OPTINC_OK;
    return oi_fail(import->log, OPTINC_ERR_FORMAT,
                   "%s: %s: %.40s: %s is %.17g, expected %.6g %s %.6g", import->name, where, item,
                   key, value, low, angle ? "up to below" : "to", high);
}

/* The format tells itself: JSON begins with a brace. */
static bool is_json(const uint8_t *bytes, size_t size)
{
    size_t i = 0;

    while (i < size && memchr(" \t\r\n", bytes[i], 4))
        i++;
    return i < size && bytes[i] == '{';
}

optinc_status optinc_circuit_parse(const uint8_t *bytes, size_t size, const char *name,
                                   const optinc_log *log, optinc_netlist_losses *losses,
                                   optinc_circuit **circuit)
{
    oi_import import = {.name = name ? name : "netlist", .log = log, .losses = {NAN, NAN}};
    optinc_status status;
    locale_t saved;

    if (!circuit)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *circuit = NULL;
    if (!bytes && size)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (size == 0)
        return oi_fail(log, OPTINC_ERR_FORMAT, "%s: empty, expected a netlist", import.name);
    saved = oi_number_text_enter();
    status = is_json(bytes, size) ? oi_import_json(&import, bytes, size, circuit)
                                  : oi_import_sax(&import, bytes, size, circuit);
    oi_number_text_leave(saved);
    if (status) {
        optinc_circuit_destroy(circuit);
        return status;
    }
    if (losses)
        *losses = (optinc_netlist_losses){
            isnan(import.losses.mzi_loss_db) ? 0 : import.losses.mzi_loss_db,
            isnan(import.losses.splitter_loss_db) ? 0 : import.losses.splitter_loss_db};
    return OPTINC_OK;
}

static optinc_status read_all(FILE *file, const char *path, const optinc_log *log, uint8_t **bytes,
                              size_t *size)
{
    size_t capacity = (size_t)1 << 16;

    *size = 0;
    *bytes = oi_allocate(capacity, 1);
    while (*bytes) {
        uint8_t *grown;

        *size += fread(*bytes + *size, 1, capacity - *size, file);
        if (ferror(file))
            return oi_fail(log, OPTINC_ERR_IO, "%s: cannot be read, expected a regular file", path);
        if (*size < capacity)
            return OPTINC_OK;
        if (capacity >= FILE_SIZE_MAX)
            return oi_fail(log, OPTINC_ERR_OVERFLOW, "%s: larger than %zu bytes", path,
                           FILE_SIZE_MAX);
        grown = oi_allocate(2 * capacity, 1);
        if (grown)
            memcpy(grown, *bytes, *size);
        oi_free(*bytes);
        *bytes = grown;
        capacity *= 2;
    }
    return OPTINC_ERR_OUT_OF_MEMORY;
}

optinc_status optinc_circuit_import(const char *path, const optinc_log *log,
                                    optinc_netlist_losses *losses, optinc_circuit **circuit)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    optinc_status status;
    FILE *file;

    if (!circuit)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *circuit = NULL;
    if (!path)
        return OPTINC_ERR_INVALID_ARGUMENT;
    file = fopen(path, "rb");
    if (!file)
        return oi_fail_errno(log, path, "cannot be opened");
    status = read_all(file, path, log, &bytes, &size);
    if (!status)
        status = optinc_circuit_parse(bytes, size, path, log, losses, circuit);
    oi_free(bytes);
    fclose(file);
    return status;
}
