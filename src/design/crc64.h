/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-64/XZ: ECMA-182 polynomial, reflected, initial value and final inversion all ones.
 * Check value of "123456789": 0x995DC9BBDF1939FA. */
#ifndef OI_DESIGN_CRC64_H
#define OI_DESIGN_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The tables lie beside the state: the library keeps nothing global that must be initialised. */
typedef struct oi_crc64 {
    uint64_t state;
    uint64_t table[8][256];
} oi_crc64;

void oi_crc64_begin(oi_crc64 *crc);
void oi_crc64_update(oi_crc64 *crc, const void *data, size_t size);
uint64_t oi_crc64_end(const oi_crc64 *crc);

#endif
