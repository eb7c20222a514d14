/* SPDX-License-Identifier: Apache-2.0 */
/* Codes <-> packed symbols: `bits` bits a code, little-endian, no gaps. */
#include "codec/kernel.h"

#define PACK_BITS_MAX 64u

size_t optinc_symbols_size(uint32_t bits, size_t element_count)
{
    size_t size;

    /* eight elements fill `bits` bytes */
    if (__builtin_mul_overflow(element_count / 8, (size_t)bits, &size) ||
        __builtin_add_overflow(size, (element_count % 8 * bits + 7) / 8, &size))
        return SIZE_MAX;
    return size;
}

/* Bits that do not fill 8 bytes yet; waiting_count < 64 */
typedef struct bit_writer {
    uint8_t *to;
    uint64_t waiting;
    uint32_t waiting_count;
} bit_writer;

/* code < 2^bits, bits 1 .. 64 */
static inline void put(bit_writer *w, uint64_t code, uint32_t bits)
{
    w->waiting |= code << w->waiting_count;
    w->waiting_count += bits;
    if (w->waiting_count < 64)
        return;
    for (uint32_t b = 0; b < 8; b++)
        w->to[b] = (uint8_t)(w->waiting >> 8 * b);
    w->to += 8;
    w->waiting_count -= 64;
    /* the upper bits of the code that did not fit: waiting_count of them, fewer than `bits` */
    w->waiting = w->waiting_count > 0 ? code >> (bits - w->waiting_count) : 0;
}

static inline void finish(bit_writer *w)
{
    for (uint32_t b = 0; 8 * b < w->waiting_count; b++)
        w->to[b] = (uint8_t)(w->waiting >> 8 * b);
}

/* Bits read and not used yet; waiting_count < 64 */
typedef struct bit_reader {
    const uint8_t *from;
    size_t left; /* bytes */
    uint64_t waiting;
    uint32_t waiting_count;
} bit_reader;

/* bits 1 .. 64, of which the reader has at least as many */
static inline uint64_t take(bit_reader *r, uint32_t bits)
{
    uint64_t mask = UINT64_MAX >> (64 - bits);
    uint64_t code, next = 0;
    uint32_t next_bytes, used;

    if (r->waiting_count >= bits) {
        code = r->waiting & mask;
        r->waiting >>= bits;
        r->waiting_count -= bits;
        return code;
    }
    next_bytes = r->left < 8 ? (uint32_t)r->left : 8;
    if (next_bytes == 8)
        for (uint32_t b = 0; b < 8; b++)
            next |= (uint64_t)r->from[b] << 8 * b;
    else
        for (uint32_t b = 0; b < next_bytes; b++)
            next |= (uint64_t)r->from[b] << 8 * b;
    code = (r->waiting | next << r->waiting_count) & mask;
    used = bits - r->waiting_count;
    r->from += next_bytes;
    r->left -= next_bytes;
    r->waiting = used < 64 ? next >> used : 0;
    r->waiting_count = 8 * next_bytes - used;
    return code;
}

void oi_codes_pack(uint32_t bits, const uint32_t *codes, size_t count, uint8_t *symbols)
{
    bit_writer w = {.to = symbols};

    for (size_t i = 0; i < count; i++)
        put(&w, codes[i], bits);
    finish(&w);
}

void oi_codes_unpack(uint32_t bits, const uint8_t *symbols, size_t count, uint32_t *codes)
{
    bit_reader r = {.from = symbols, .left = optinc_symbols_size(bits, count)};

    for (size_t i = 0; i < count; i++)
        codes[i] = (uint32_t)take(&r, bits);
}

static optinc_status check(uint32_t bits, const void *a, const void *b, size_t count)
{
    if (bits < 2 || bits > PACK_BITS_MAX || bits % 2 != 0 || (count > 0 && (!a || !b)))
        return OPTINC_ERR_INVALID_ARGUMENT;
    return count > PTRDIFF_MAX / sizeof(uint64_t) ? OPTINC_ERR_OVERFLOW : OPTINC_OK;
}

optinc_status optinc_symbols_pack(uint32_t bits, const uint64_t *codes, size_t count,
                                  uint8_t *symbols)
{
    optinc_status status = check(bits, codes, symbols, count);
    bit_writer w = {.to = symbols};

    if (status != OPTINC_OK)
        return status;
    if (bits < 64)
        for (size_t i = 0; i < count; i++)
            if (codes[i] >> bits != 0)
                return OPTINC_ERR_INVALID_ARGUMENT;
    for (size_t i = 0; i < count; i++)
        put(&w, codes[i], bits);
    finish(&w);
    return OPTINC_OK;
}

optinc_status optinc_symbols_unpack(uint32_t bits, const uint8_t *symbols, size_t count,
                                    uint64_t *codes)
{
    optinc_status status = check(bits, symbols, codes, count);
    bit_reader r = {.from = symbols};

    if (status != OPTINC_OK)
        return status;
    r.left = optinc_symbols_size(bits, count);
    for (size_t i = 0; i < count; i++)
        codes[i] = take(&r, bits);
    return OPTINC_OK;
}
