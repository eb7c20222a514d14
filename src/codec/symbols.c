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

/* At most 31 + 64 bits wait in the register of 128: nothing is lost. */
static void pack(uint32_t bits, const uint32_t *codes32, const uint64_t *codes64, size_t count,
                 uint8_t *symbols)
{
    unsigned __int128 waiting = 0;
    uint32_t waiting_bits = 0;

    for (size_t i = 0; i < count; i++) {
        waiting |= (unsigned __int128)(codes32 ? codes32[i] : codes64[i]) << waiting_bits;
        waiting_bits += bits;
        while (waiting_bits >= 8) {
            *symbols++ = (uint8_t)waiting;
            waiting >>= 8;
            waiting_bits -= 8;
        }
    }
    if (waiting_bits > 0)
        *symbols = (uint8_t)waiting;
}

static void unpack(uint32_t bits, const uint8_t *symbols, size_t count, uint32_t *codes32,
                   uint64_t *codes64)
{
    unsigned __int128 waiting = 0;
    unsigned __int128 mask = ((unsigned __int128)1 << bits) - 1;
    uint32_t waiting_bits = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t code;

        while (waiting_bits < bits) {
            waiting |= (unsigned __int128)*symbols++ << waiting_bits;
            waiting_bits += 8;
        }
        code = (uint64_t)(waiting & mask);
        waiting >>= bits;
        waiting_bits -= bits;
        if (codes32)
            codes32[i] = (uint32_t)code;
        else
            codes64[i] = code;
    }
}

void oi_codes_pack(uint32_t bits, const uint32_t *codes, size_t count, uint8_t *symbols)
{
    pack(bits, codes, NULL, count, symbols);
}

void oi_codes_unpack(uint32_t bits, const uint8_t *symbols, size_t count, uint32_t *codes)
{
    unpack(bits, symbols, count, codes, NULL);
}

static optinc_status check(uint32_t bits, const void *a, const void *b, size_t count)
{
    if (bits < 2 || bits > PACK_BITS_MAX || bits % 2 != 0 || (count > 0 && (!a || !b)))
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (optinc_symbols_size(bits, count) == SIZE_MAX)
        return OPTINC_ERR_OVERFLOW;
    return OPTINC_OK;
}

optinc_status optinc_symbols_pack(uint32_t bits, const uint64_t *codes, size_t count,
                                  uint8_t *symbols)
{
    optinc_status status = check(bits, codes, symbols, count);

    if (status != OPTINC_OK)
        return status;
    if (bits < 64)
        for (size_t i = 0; i < count; i++)
            if (codes[i] >> bits != 0)
                return OPTINC_ERR_INVALID_ARGUMENT;
    pack(bits, NULL, codes, count, symbols);
    return OPTINC_OK;
}

optinc_status optinc_symbols_unpack(uint32_t bits, const uint8_t *symbols, size_t count,
                                    uint64_t *codes)
{
    optinc_status status = check(bits, symbols, codes, count);

    if (status != OPTINC_OK)
        return status;
    unpack(bits, symbols, count, NULL, codes);
    return OPTINC_OK;
}
