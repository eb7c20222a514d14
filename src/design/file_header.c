/* SPDX-License-Identifier: Apache-2.0 */
#include "design/file_header.h"

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHAPE_MAX ((json_int_t)1 << 40)

const char *oi_json_describe(const json_t *value, char text[48])
{
    if (!value)
        snprintf(text, 48, "nothing");
    else if (json_is_string(value))
        snprintf(text, 48, "\"%.32s\"", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(text, 48, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, 48, "%.17g", json_real_value(value));
    else
        snprintf(text, 48, "%s",
                 json_is_object(value)    ? "an object"
                 : json_is_array(value)   ? "an array"
                 : json_is_boolean(value) ? "a boolean"
                                          : "null");
    for (char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    return text;
}

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static optinc_status wrong_json(const oi_file *file, const char *field, const json_error_t *error,
                                optinc_status status)
{
    if (status == OPTINC_ERR_OUT_OF_MEMORY)
        return oi_fail(file->log, status, "%s: %s: no memory for its JSON", file->name, field);
    return oi_fail(file->log, status, "%s: %s: not valid JSON at byte %d", file->name, field,
                   error->position);
}

/* The length and the JSON; file->header, data and data_size are then set. */
static optinc_status open_header(oi_file *file, const uint8_t *bytes, size_t size,
                                 size_t *header_length)
{
    json_error_t error;
    optinc_status status;
    uint64_t length;

    if (size < OI_FILE_LENGTH_SIZE)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: file: found %zu bytes, expected at least %u; no design, which is a "
                       "safetensors file",
                       file->name, size, OI_FILE_LENGTH_SIZE);
    length = load_u64(bytes);
    if (length > OI_FILE_HEADER_MAX)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: header length: found %" PRIu64
                       ", expected at most %u; no design, which is a safetensors file",
                       file->name, length, OI_FILE_HEADER_MAX);
    if (length > size - OI_FILE_LENGTH_SIZE)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: header: found %zu bytes, expected %" PRIu64 "; the file is cut short",
                       file->name, size - OI_FILE_LENGTH_SIZE, length);
    *header_length = (size_t)length;
    if (length < 2 || bytes[OI_FILE_LENGTH_SIZE] != '{')
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: header: expected a JSON object that starts with '{'", file->name);
    status = oi_json_parse(bytes + OI_FILE_LENGTH_SIZE, *header_length, &file->header, &error);
    if (status)
        return wrong_json(file, "header", &error, status);
    file->data = bytes + OI_FILE_LENGTH_SIZE + *header_length;
    file->data_size = size - OI_FILE_LENGTH_SIZE - *header_length;
    return OPTINC_OK;
}

static bool is_plain_name(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= OI_FILE_TENSOR_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._") == length;
}

static bool read_size(const json_t *value, json_int_t max, size_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
        return false;
    *size = (size_t)json_integer_value(value);
    return true;
}

static size_t dtype_size(oi_dtype dtype)
{
    switch (dtype) {
    case OI_DTYPE_F64:
        return 8;
    case OI_DTYPE_U32:
        return 4;
    case OI_DTYPE_U16:
        return 2;
    case OI_DTYPE_U8:
        break;
    }
    return 1;
}

static bool read_dtype(const json_t *value, oi_dtype *dtype)
{
    static const char *const names[] = {"F64", "U8", "U16", "U32"};

    for (int i = 0; json_is_string(value) && i < 4; i++) {
        if (strcmp(json_string_value(value), names[i]) == 0) {
            *dtype = (oi_dtype)i;
            return true;
        }
    }
    return false;
}

/* One entry of the header: dtype, shape and offsets, and that they agree. */
static optinc_status read_tensor(const oi_file *file, const char *name, const json_t *entry,
                                 oi_tensor *tensor)
{
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t size;
    char found[48];

    *tensor = (oi_tensor){.name = name, .rank = (uint32_t)json_array_size(shape)};
    if (!json_is_object(entry) || json_object_size(entry) != 3)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: %s: expected exactly dtype, shape and data_offsets", file->name, name);
    if (!read_dtype(json_object_get(entry, "dtype"), &tensor->dtype))
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: %s.dtype: found %s, expected F64, U8, U16 or U32", file->name, name,
                       oi_json_describe(json_object_get(entry, "dtype"), found));
    if (json_array_size(shape) < 1 || json_array_size(shape) > 2)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: %s.shape: found %zu dimensions, expected 1 or 2", file->name, name,
                       json_array_size(shape));
    size = dtype_size(tensor->dtype);
    for (size_t i = 0; i < tensor->rank; i++) {
        if (!read_size(json_array_get(shape, i), SHAPE_MAX, &tensor->shape[i]) ||
            tensor->shape[i] == 0 || !oi_size_multiply(size, tensor->shape[i], &size))
            return oi_fail(file->log, OPTINC_ERR_FORMAT,
                           "%s: %s.shape[%zu]: found %s, expected 1 to 2^40", file->name, name, i,
                           oi_json_describe(json_array_get(shape, i), found));
    }
    if (json_array_size(offsets) != 2 ||
        !read_size(json_array_get(offsets, 0), INT64_MAX, &tensor->begin) ||
        !read_size(json_array_get(offsets, 1), INT64_MAX, &tensor->end) ||
        tensor->begin > tensor->end)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: %s.data_offsets: expected [begin, end], begin <= end", file->name,
                       name);
    if (tensor->end - tensor->begin != size)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: %s.data_offsets: found %zu bytes, expected %zu for its shape and dtype",
                       file->name, name, tensor->end - tensor->begin, size);
    return OPTINC_OK;
}

static int by_begin(const void *a, const void *b)
{
    const oi_tensor *left = a;
    const oi_tensor *right = b;

    return (left->begin > right->begin) - (left->begin < right->begin);
}

/* No gap, no overlap, nothing before, nothing behind. */
static optinc_status check_layout(const oi_file *file)
{
    size_t expected = 0;

    for (size_t i = 0; i < file->tensor_count; i++) {
        if (file->tensors[i].begin != expected)
            return oi_fail(file->log, OPTINC_ERR_FORMAT,
                           "%s: %s.data_offsets: found a tensor that begins at %zu, expected %zu "
                           "(no gaps, no overlap)",
                           file->name, file->tensors[i].name, file->tensors[i].begin, expected);
        expected = file->tensors[i].end;
    }
    if (file->data_size < expected)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: tensors: found %zu bytes, expected %zu; the file is cut short",
                       file->name, file->data_size, expected);
    if (file->data_size > expected)
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: tensors: found %zu bytes, expected %zu; something follows the last one",
                       file->name, file->data_size, expected);
    return OPTINC_OK;
}

static optinc_status open_tensors(oi_file *file)
{
    size_t count = json_object_size(file->header);
    const char *key;
    json_t *entry;

    if (count > OI_FILE_TENSORS_MAX + 1)
        return oi_fail(file->log, OPTINC_ERR_OVERFLOW,
                       "%s: header: found %zu entries, expected at most %u", file->name, count,
                       OI_FILE_TENSORS_MAX + 1);
    file->tensors = oi_allocate(count, sizeof *file->tensors);
    if (!file->tensors)
        return oi_fail(file->log, OPTINC_ERR_OUT_OF_MEMORY, "%s: no memory", file->name);
    json_object_foreach(file->header, key, entry)
    {
        optinc_status status;

        if (strcmp(key, "__metadata__") == 0)
            continue;
        if (!is_plain_name(key))
            return oi_fail(file->log, OPTINC_ERR_FORMAT,
                           "%s: header: found a tensor whose name is not 1 to %u characters of "
                           "a-z, 0-9, '.' and '_'",
                           file->name, OI_FILE_TENSOR_NAME_MAX);
        status = read_tensor(file, key, entry, &file->tensors[file->tensor_count]);
        if (status)
            return status;
        file->tensor_count++;
    }
    qsort(file->tensors, file->tensor_count, sizeof *file->tensors, by_begin);
    return check_layout(file);
}

static optinc_status check_text(const oi_file *file, const json_t *metadata, const char *key,
                                const char *expected)
{
    const json_t *value = json_object_get(metadata, key);
    char found[48];

    if (json_is_string(value) && strcmp(json_string_value(value), expected) == 0)
        return OPTINC_OK;
    return oi_fail(file->log, OPTINC_ERR_FORMAT, "%s: __metadata__.%s: found %s, expected \"%s\"",
                   file->name, key, oi_json_describe(value, found), expected);
}

static optinc_status check_checksum(const oi_file *file, const json_t *metadata,
                                    const uint8_t *bytes, size_t size, size_t header_length)
{
    const char *stored = json_string_value(json_object_get(metadata, "checksum"));
    size_t offset = oi_file_checksum_offset(bytes, header_length);
    char expected[OI_FILE_CHECKSUM_DIGITS + 1];

    if (!stored || strlen(stored) != OI_FILE_CHECKSUM_DIGITS || offset == 0 ||
        memcmp(bytes + offset, stored, OI_FILE_CHECKSUM_DIGITS) != 0)
        return oi_fail(
            file->log, OPTINC_ERR_FORMAT,
            "%s: __metadata__.checksum: expected \"checksum\":\" and %u hex digits, once",
            file->name, OI_FILE_CHECKSUM_DIGITS);
    snprintf(expected, sizeof expected, "%016" PRIx64, oi_file_checksum(bytes, size, offset));
    if (strcmp(stored, expected) != 0) {
        char found[48];

        return oi_fail(file->log, OPTINC_ERR_CHECKSUM,
                       "%s: __metadata__.checksum: found %s, expected \"%s\"; the file is altered",
                       file->name, oi_json_describe(json_object_get(metadata, "checksum"), found),
                       expected);
    }
    return OPTINC_OK;
}

static optinc_status open_metadata(oi_file *file, const uint8_t *bytes, size_t size,
                                   size_t header_length)
{
    const json_t *metadata = json_object_get(file->header, "__metadata__");
    const json_t *text = json_object_get(metadata, "optinc");
    json_error_t error;
    optinc_status status = check_text(file, metadata, "format", OI_FILE_FORMAT);

    if (!status)
        status = check_text(file, metadata, "format_version", OI_FILE_FORMAT_VERSION);
    if (!status)
        status = check_checksum(file, metadata, bytes, size, header_length);
    if (status)
        return status;
    if (json_object_size(metadata) != 4 || !json_is_string(text))
        return oi_fail(file->log, OPTINC_ERR_FORMAT,
                       "%s: __metadata__: expected exactly checksum, format, format_version and "
                       "optinc",
                       file->name);
    status = oi_json_parse(json_string_value(text), json_string_length(text), &file->body, &error);
    return status ? wrong_json(file, "__metadata__.optinc", &error, status) : OPTINC_OK;
}

optinc_status oi_file_open(const uint8_t *bytes, size_t size, const char *name,
                           const optinc_log *log, oi_file *file)
{
    size_t header_length = 0;
    optinc_status status;

    *file = (oi_file){.name = name, .log = log};
    status = open_header(file, bytes, size, &header_length);
    if (!status)
        status = open_tensors(file);
    if (!status)
        status = open_metadata(file, bytes, size, header_length);
    if (status)
        oi_file_close(file);
    return status;
}

void oi_file_close(oi_file *file)
{
    json_decref(file->body);
    json_decref(file->header);
    oi_free(file->tensors);
    *file = (oi_file){0};
}

oi_tensor *oi_file_tensor(const oi_file *file, const char *name)
{
    for (size_t i = 0; i < file->tensor_count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    }
    return NULL;
}
