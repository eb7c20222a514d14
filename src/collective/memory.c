/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of the lanes. It grows before a call is agreed on, while nothing is in flight, so that a
 * rank without memory can say so to the others; a call of a size that was there before finds all it
 * needs. */
#include "collective/state.h"

#include "base/log.h"
#include "base/memory.h"

static void release_buffers(uint8_t **buffers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        oi_free(buffers[i]);
        buffers[i] = NULL;
    }
}

/* The first of them, as far as they are missing. */
static bool fill_buffers(uint8_t **buffers, size_t most, size_t wanted, size_t size)
{
    for (size_t i = 0; i < most && i < wanted; i++) {
        if (!buffers[i])
            buffers[i] = oi_allocate(size, 1);
        if (!buffers[i])
            return false;
    }
    return true;
}

static void release_exchanges(optinc_collective *c)
{
    release_buffers(c->codes, OI_CODES);
    release_buffers(c->received, OI_RECEIVED);
    release_buffers(c->reduced, OI_REDUCED);
}

static bool fill_lanes(optinc_collective *c, const oi_sizes *sizes)
{
    for (size_t i = 0; i < sizes->lanes; i++) {
        if (!c->lanes[i].packet)
            c->lanes[i].packet = oi_allocate(sizes->packet, 1);
        if (!c->lanes[i].packet)
            return false;
    }
    return fill_buffers(c->codes, OI_CODES, sizes->lanes, sizes->exchange) &&
           fill_buffers(c->received, OI_RECEIVED, sizes->lanes, sizes->exchange) &&
           fill_buffers(c->reduced, OI_REDUCED, sizes->lanes, sizes->exchange / c->transport.size);
}

/* Buffers that are too small are not kept beside the larger ones: memory has one bound. */
static void drop_small(optinc_collective *c, const oi_sizes *sizes)
{
    if (sizes->exchange > c->sizes.exchange)
        release_exchanges(c);
    for (uint32_t i = 0; i < OI_LANES && sizes->packet > c->sizes.packet; i++) {
        oi_free(c->lanes[i].packet);
        c->lanes[i].packet = NULL;
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

optinc_status oi_reserve(optinc_collective *c, size_t elements, size_t chunks)
{
    size_t packet = optinc_block_count(c->codec.block_size, elements);
    size_t share =
        optinc_symbols_size(c->codec.bits, oi_share_elements(elements, c->transport.size));
    const oi_sizes sizes = {
        .lanes = larger(chunks < OI_LANES ? chunks : OI_LANES, c->sizes.lanes),
        .packet = larger(packet, c->sizes.packet),
        .exchange = larger(share * c->transport.size, c->sizes.exchange),
    };

    if (sizes.lanes == c->sizes.lanes && sizes.packet == c->sizes.packet &&
        sizes.exchange == c->sizes.exchange)
        return OPTINC_OK;
    drop_small(c, &sizes);
    if (fill_lanes(c, &sizes)) {
        c->sizes = sizes;
        return OPTINC_OK;
    }
    oi_release(c);
    return oi_fail(&c->log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for %zu chunks of %zu elements",
                   sizes.lanes, elements);
}

void oi_release(optinc_collective *c)
{
    release_exchanges(c);
    for (uint32_t i = 0; i < OI_LANES; i++) {
        oi_free(c->lanes[i].packet);
        c->lanes[i].packet = NULL;
    }
    c->sizes = (oi_sizes){0};
}
