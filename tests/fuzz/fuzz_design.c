/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of design files. Every input is parsed as it is, and with the length of its header and
 * its checksum made right, since hardly a mutation would get past those. What parses must be written and parsed again to the same
 * design and the same bytes. The seeds in corpus/design are what tests/design/file_tool.c writes. */
#include "design/file_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_LENGTH_SIZE 8u

typedef struct buffer {
    uint8_t *data;
    size_t size;
} buffer;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static optinc_status append(void *user, const void *data, size_t size)
{
    buffer *b = user;
    uint8_t *grown = realloc(b->data, b->size + size + 1);

    if (!grown)
        abort();
    memcpy(grown + b->size, data, size);
    b->data = grown;
    b->size += size;
    return OPTINC_OK;
}

static void ignore(void *user, optinc_log_level level, const char *message)
{
    (void)user;
    (void)level;
    if (strchr(message, '\n'))
        abort();
}

static optinc_design *parse(const uint8_t *data, size_t size)
{
    optinc_log log = {.write = ignore};
    optinc_design *design = NULL;
    optinc_status status = optinc_design_parse(data, size, "fuzz", &log, &design);

    if ((status == OPTINC_OK) != (design != NULL))
        abort();
    return design;
}

static buffer write_down(const optinc_design *design)
{
    buffer b = {NULL, 0};

    if (oi_file_write(design, &(oi_sink){.write = append, .user = &b}, NULL))
        abort();
    return b;
}

static void check_round_trip(const optinc_design *design)
{
    buffer first = write_down(design);
    optinc_design *again = parse(first.data, first.size);
    buffer second;

    if (!again || optinc_design_checksum(again) != optinc_design_checksum(design))
        abort();
    second = write_down(again);
    if (second.size != first.size || memcmp(second.data, first.data, first.size) != 0)
        abort();
    optinc_design_destroy(&again);
    free(second.data);
    free(first.data);
}

/* The header ends at the last "}}" and the blanks behind it. */
static size_t find_header_length(const uint8_t *data, size_t size)
{
    size_t end = 0;

    for (size_t i = HEADER_LENGTH_SIZE; i + 1 < size; i++) {
        if (data[i] == '}' && data[i + 1] == '}')
            end = i + 2;
    }
    while (end > 0 && end < size && data[end] == ' ')
        end++;
    return end > 0 ? end - HEADER_LENGTH_SIZE : 0;
}

static void make_right(uint8_t *data, size_t size)
{
    char digits[OI_FILE_CHECKSUM_DIGITS + 1];
    size_t length = find_header_length(data, size);
    size_t offset;

    if (length == 0)
        return;
    for (size_t i = 0; i < HEADER_LENGTH_SIZE; i++)
        data[i] = (uint8_t)((uint64_t)length >> (8 * i));
    offset = oi_file_checksum_offset(data, length);
    if (!offset)
        return;
    snprintf(digits, sizeof digits, "%016" PRIx64, oi_file_checksum(data, size, offset));
    memcpy(data + offset, digits, OI_FILE_CHECKSUM_DIGITS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    optinc_design *design = parse(data, size);
    uint8_t *copy = malloc(size + 1);

    optinc_design_destroy(&design);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    make_right(copy, size);
    design = parse(copy, size);
    if (design)
        check_round_trip(design);
    optinc_design_destroy(&design);
    free(copy);
    return 0;
}
