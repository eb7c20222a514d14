/* SPDX-License-Identifier: Apache-2.0 */
#include "design/crc64.h"

#define POLYNOMIAL_REFLECTED UINT64_C(0xC96C5795D7870F42)

/* table[0] advances the state by one byte; table[k] by a byte that k zero bytes follow, so that
 * eight look-ups that do not wait for one another take in eight bytes (slicing by 8). */
void oi_crc64_begin(oi_crc64 *crc)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint64_t value = byte;

        for (int bit = 0; bit < 8; bit++)
            value = (value >> 1) ^ ((value & 1) ? POLYNOMIAL_REFLECTED : 0);
        crc->table[0][byte] = value;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int k = 1; k < 8; k++) {
            uint64_t before = crc->table[k - 1][byte];

            crc->table[k][byte] = (before >> 8) ^ crc->table[0][before & 0xFF];
        }
    }
    crc->state = UINT64_MAX;
}

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

void oi_crc64_update(oi_crc64 *crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t state = crc->state;

    while (size >= 8) {
        uint64_t mixed = state ^ load_u64(bytes);

        state = 0;
        for (int i = 0; i < 8; i++)
            state ^= crc->table[7 - i][(mixed >> (8 * i)) & 0xFF];
        bytes += 8;
        size -= 8;
    }
    while (size-- > 0)
        state = (state >> 8) ^ crc->table[0][(state ^ *bytes++) & 0xFF];
    crc->state = state;
}

uint64_t oi_crc64_end(const oi_crc64 *crc)
{
    return ~crc->state;
}
