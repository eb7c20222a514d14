/* SPDX-License-Identifier: Apache-2.0 */
/* The sum over the ports as plain loops, which the compiler turns into vector code for the
 * instruction set that the including file is compiled for. Sums are kept for a piece of the codes
 * at a time, so that they stay in the nearest cache whatever the number of ports. */
#ifndef OI_SWITCH_EXACT_LOOPS_H
#define OI_SWITCH_EXACT_LOOPS_H

#include "switch/exact.h"

#include <string.h>

#define OI_LOOP_CODES 1024u

/* Codes of 4 bits, two to a byte, the first in the lower half: `part` bytes of them. */
static inline void oi_average_nibbles(const oi_average_job *job, size_t first, size_t part)
{
    uint16_t low[OI_LOOP_CODES], high[OI_LOOP_CODES];
    const uint16_t base = (uint16_t)job->base;
    const uint32_t shift = job->shift;
    uint8_t *result = job->result + first;

    for (size_t i = 0; i < part; i++)
        low[i] = high[i] = base;
    if (job->offsets) {
        const uint32_t *offsets = job->offsets + 2 * first;
        size_t whole = 2 * (first + part) <= job->count ? part : part - 1;

        for (size_t i = 0; i < whole; i++) {
            low[i] = (uint16_t)(low[i] + offsets[2 * i]);
            high[i] = (uint16_t)(high[i] + offsets[2 * i + 1]);
        }
        if (whole < part)
            low[whole] = (uint16_t)(low[whole] + offsets[2 * whole]);
    }
    for (uint32_t port = 0; port < job->port_count; port++) {
        const uint8_t *codes = job->symbols + port * job->stride + first;

        for (size_t i = 0; i < part; i++) {
            low[i] = (uint16_t)(low[i] + (codes[i] & 0xF));
            high[i] = (uint16_t)(high[i] + (codes[i] >> 4));
        }
    }
    for (size_t i = 0; i < part; i++)
        result[i] = (uint8_t)((low[i] >> shift & 0xF) | (high[i] >> shift & 0xF) << 4);
}

/* An odd count leaves half of the last byte, which is zero in packed symbols. */
static inline void oi_average_all_nibbles(const oi_average_job *job)
{
    size_t size = job->count / 2 + job->count % 2;

    for (size_t first = 0; first < size; first += OI_LOOP_CODES)
        oi_average_nibbles(job, first, size - first < OI_LOOP_CODES ? size - first : OI_LOOP_CODES);
    if (job->count % 2 != 0)
        job->result[size - 1] &= 0xF;
}

/* memcpy: the codes need not be aligned. The caller chooses a total that cannot overflow. The job's
 * fields are copied first: stores of bytes could change them for all that the compiler knows. */
#define OI_DEFINE_AVERAGE(name, code_type, total_type)                                             \
    static void name(const oi_average_job *job)                                                    \
    {                                                                                              \
        total_type totals[OI_LOOP_CODES];                                                          \
        const total_type base = (total_type)job->base;                                             \
        const uint32_t shift = job->shift;                                                         \
                                                                                                   \
        for (size_t first = 0; first < job->count; first += OI_LOOP_CODES) {                       \
            size_t left = job->count - first;                                                      \
            size_t part = left < OI_LOOP_CODES ? left : OI_LOOP_CODES;                             \
            uint8_t *result = job->result + first * sizeof(code_type);                             \
                                                                                                   \
            for (size_t i = 0; i < part; i++)                                                      \
                totals[i] = base;                                                                  \
            if (job->offsets) {                                                                    \
                const uint32_t *offsets = job->offsets + first;                                    \
                                                                                                   \
                for (size_t i = 0; i < part; i++)                                                  \
                    totals[i] = (total_type)(totals[i] + offsets[i]);                              \
            }                                                                                      \
            for (uint32_t port = 0; port < job->port_count; port++) {                              \
                const uint8_t *codes =                                                             \
                    job->symbols + port * job->stride + first * sizeof(code_type);                 \
                                                                                                   \
                for (size_t i = 0; i < part; i++) {                                                \
                    code_type code;                                                                \
                                                                                                   \
                    memcpy(&code, codes + i * sizeof code, sizeof code);                           \
                    totals[i] = (total_type)(totals[i] + code);                                    \
                }                                                                                  \
            }                                                                                      \
            for (size_t i = 0; i < part; i++) {                                                    \
                code_type code = (code_type)(totals[i] >> shift);                                  \
                                                                                                   \
                memcpy(result + i * sizeof code, &code, sizeof code);                              \
            }                                                                                      \
        }                                                                                          \
    }

#endif
