/* SPDX-License-Identifier: Apache-2.0 */
/* The checksum by which ranks find out whether they hold the same design. Fields go in as
 * little-endian 64-bit words in declaration order, so it is the same on every machine. */
#include "design/crc64.h"
#include "design/internal.h"

#include <string.h>

#define WORDS_AT_ONCE 512

static void put_u64(oi_crc64 *crc, uint64_t value)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    oi_crc64_update(crc, bytes, sizeof bytes);
}

static void put_doubles(oi_crc64 *crc, const double *values, size_t count)
{
    uint8_t bytes[WORDS_AT_ONCE * 8];

    for (size_t first = 0; first < count; first += WORDS_AT_ONCE) {
        size_t part = count - first < WORDS_AT_ONCE ? count - first : WORDS_AT_ONCE;

        for (size_t i = 0; i < part; i++) {
            uint64_t word;

            memcpy(&word, &values[first + i], sizeof word);
            for (int k = 0; k < 8; k++)
                bytes[8 * i + (size_t)k] = (uint8_t)(word >> (8 * k));
        }
        oi_crc64_update(crc, bytes, part * 8);
    }
}

static void put_double(oi_crc64 *crc, double value)
{
    put_doubles(crc, &value, 1);
}

static void put_table(oi_crc64 *crc, const uint32_t *table, size_t count)
{
    uint8_t bytes[WORDS_AT_ONCE * 4];

    put_u64(crc, count);
    for (size_t first = 0; first < count; first += WORDS_AT_ONCE) {
        size_t part = count - first < WORDS_AT_ONCE ? count - first : WORDS_AT_ONCE;

        for (size_t i = 0; i < part; i++) {
            for (int k = 0; k < 4; k++)
                bytes[4 * i + (size_t)k] = (uint8_t)(table[first + i] >> (8 * k));
        }
        oi_crc64_update(crc, bytes, part * 4);
    }
}

static void put_unit(oi_crc64 *crc, const optinc_unit *unit)
{
    put_u64(crc, unit->spec.ports);
    put_u64(crc, unit->spec.bits_in);
    put_u64(crc, unit->spec.bits_out);
    put_u64(crc, unit->spec.divisor_log2);
    put_u64(crc, (uint64_t)unit->spec.variant);
    put_u64(crc, unit->spec.zero_code);
    put_u64(crc, unit->input_count);
    for (uint32_t i = 0; i < unit->input_count; i++) {
        put_u64(crc, unit->inputs[i].digit_first);
        put_u64(crc, unit->inputs[i].digit_count);
        put_double(crc, unit->inputs[i].scale);
    }
    put_u64(crc, unit->layer_count);
    for (uint32_t i = 0; i < unit->layer_count; i++) {
        const optinc_layer *layer = &unit->layers[i];

        put_u64(crc, layer->rows);
        put_u64(crc, layer->cols);
        put_u64(crc, (uint64_t)layer->activation);
        put_u64(crc, (uint64_t)layer->mapping);
        put_u64(crc, layer->segment_side);
        put_doubles(crc, layer->weight, (size_t)layer->rows * layer->cols);
        put_doubles(crc, layer->bias, layer->rows);
    }
    put_table(crc, unit->table, unit->table_count);
}

uint64_t oi_design_checksum(const optinc_design *design)
{
    oi_crc64 crc;

    oi_crc64_begin(&crc);
    put_u64(&crc, design->level_count);
    for (uint32_t level = 0; level < design->level_count; level++)
        put_unit(&crc, &design->units[level]);
    return oi_crc64_end(&crc);
}
