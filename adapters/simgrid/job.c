/* SPDX-License-Identifier: Apache-2.0 */
#include "job.h"

#include <string.h>

static int64_t largest(const job *j)
{
    return ((int64_t)1 << (optinc_design_bits(j->design) - 1)) - 1;
}

/* A small integer hash of (server, element), the same on every machine. */
static uint32_t mix(uint32_t server, uint32_t element)
{
    uint32_t h = server * 0x9E3779B1u ^ (element + 0x7F4A7C15u) * 0x85EBCA77u;

    h ^= h >> 15;
    h *= 0xC2B2AE3Du;
    return h ^ (h >> 13);
}

void job_fill(const job *j, int server, float *gradient)
{
    int64_t top = largest(j);

    for (size_t i = 0; i < j->count; i++)
        gradient[i] =
            i % j->block_size == 0
                ? (float)top
                : (float)((int64_t)(mix((uint32_t)server, (uint32_t)i) % (uint64_t)(2 * top + 1)) -
                          top);
}

void job_expect(const job *j, bool through_switch, int64_t *total, float *gradient, float *sum)
{
    optinc_spec flat = optinc_design_flat_spec(j->design);
    int64_t ports = optinc_design_ports(j->design);
    int64_t zero = (int64_t)flat.zero_code;

    memset(total, 0, j->count * sizeof *total);
    for (int server = 0; server < j->server_count; server++) {
        job_fill(j, server, gradient);
        for (size_t i = 0; i < j->count; i++)
            total[i] += (int64_t)gradient[i];
    }
    for (size_t i = 0; i < j->count; i++) {
        int64_t result = total[i];

        if (through_switch) /* codes are integers plus zero; idle ports send zero */
            result =
                ((int64_t)optinc_reference_result(&flat, (uint64_t)(total[i] + ports * zero), 0) -
                 zero) *
                ports;
        sum[i] = (float)result;
    }
}
