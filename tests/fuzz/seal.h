/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the CRC-64/XZ at the end of a checkpoint right, so that what lies behind it is reached. */
#ifndef TESTS_FUZZ_SEAL_H
#define TESTS_FUZZ_SEAL_H

#include "design/crc64.h"

#include <string.h>

static inline void seal(uint8_t *bytes, size_t size)
{
    static oi_crc64 crc;
    uint64_t value;

    oi_crc64_begin(&crc);
    oi_crc64_update(&crc, bytes, size - sizeof value);
    value = oi_crc64_end(&crc);
    memcpy(bytes + size - sizeof value, &value, sizeof value);
}

#endif
