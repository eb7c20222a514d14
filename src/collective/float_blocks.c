/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that hold a NaN or an infinity on any rank (docs/mpi.md): an IEEE float
 * sum in rank order. All ranks know these blocks from the agreed exponents and so do the same
 * exchanges. They are rare (an overflowing step of a loss-scaled training), so nothing overlaps. */
#include "collective/state.h"

#include <math.h>
#include <string.h>

#define CANONICAL_NAN 0x7fc00000u

/* A NaN's payload would tell in which order a compiler put the operands. */
static float canonical(float x)
{
    const uint32_t bits = CANONICAL_NAN;

    if (isnan(x))
        memcpy(&x, &bits, sizeof x);
    return x;
}

/* Servers that are known to be gone are left out; there is one at least that is not. */
static bool is_gone(const optinc_collective *c, uint32_t rank)
{
    return c->states && c->states[rank] == OPTINC_PORT_IDLE;
}

void oi_sum_in_rank_order(const oi_run *run, const float *x, size_t share, float *sum)
{
    const optinc_collective *c = run->collective;
    uint32_t ranks = c->transport.size, first = 0;

    while (is_gone(c, first))
        first++;
    for (size_t i = 0; i < share; i++) {
        float total = x[first * share + i];

        for (uint32_t rank = first + 1; rank < ranks; rank++)
            if (!is_gone(c, rank))
                total += x[rank * share + i];
        if (run->args->op == OPTINC_MEAN)
            total /= (float)c->servers;
        sum[i] = canonical(total);
    }
}

/* values [count], count <= block_size */
static optinc_status reduce_block(oi_run *run, uint32_t slot, const float *values, size_t count,
                                  float *output)
{
    optinc_collective *c = run->collective;
    uint32_t ranks = c->transport.size;
    size_t share = (count + ranks - 1) / ranks;
    float *send = c->float_values;
    optinc_status status;

    memcpy(send, values, count * sizeof *send);
    memset(send + count, 0, (share * ranks - count) * sizeof *send);
    status = oi_start_alltoall(c, slot, send, c->float_received, share * sizeof *send);
    if (status == OPTINC_OK)
        status = oi_wait(c, slot);
    if (status != OPTINC_OK)
        return status;
    oi_sum_in_rank_order(run, c->float_received, share, c->float_sum);
    status = oi_start_allgather(c, slot, c->float_sum, send, share * sizeof *send);
    if (status == OPTINC_OK)
        status = oi_wait(c, slot);
    if (status != OPTINC_OK)
        return status;
    memcpy(output, send, count * sizeof *output);
    run->report.bytes_sent += 2 * (uint64_t)(ranks - 1) * share * sizeof *send;
    return OPTINC_OK;
}

optinc_status oi_reduce_float_blocks(oi_run *run, oi_lane *lane, uint32_t slot, const float *values,
                                     float *output)
{
    size_t block_size = run->collective->codec.block_size;
    size_t blocks = optinc_block_count((uint32_t)block_size, lane->count);

    for (size_t block = 0; block < blocks; block++) {
        size_t first = block * block_size;
        size_t count = lane->count - first < block_size ? lane->count - first : block_size;
        optinc_status status;

        if (lane->exponents[block] != OPTINC_EXPONENT_NON_FINITE)
            continue;
        run->report.blocks_non_finite++;
        status = reduce_block(run, slot, values + first, count, output + first);
        if (status != OPTINC_OK)
            return status;
    }
    return OPTINC_OK;
}
