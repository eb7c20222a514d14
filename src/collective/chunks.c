/* SPDX-License-Identifier: Apache-2.0 */
/* Into which chunks a message is cut. No cut shows in the result. */
#include "collective/state.h"

/* Chunks: every exchange waits for the slowest rank, on a busy machine for milliseconds, so they are
 * few and large; what a link cannot hide is the computing on a message's first and last chunk, about
 * a millisecond per million elements. */
#define CHUNK_ELEMENTS_MIN ((size_t)1 << 19)
#define CHUNKS_WANTED 4u

size_t oi_round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

size_t oi_share_elements(size_t count, uint32_t ranks)
{
    return oi_round_up((count + ranks - 1) / ranks, 4);
}

size_t oi_chunk_elements(const optinc_collective *collective, size_t count)
{
    size_t chunk = count / CHUNKS_WANTED;

    if (collective->chunk_set)
        return collective->chunk_elements;
    if (chunk < CHUNK_ELEMENTS_MIN)
        chunk = CHUNK_ELEMENTS_MIN;
    if (chunk > collective->chunk_elements)
        return collective->chunk_elements;
    return oi_round_up(chunk, collective->chunk_multiple);
}

/* Room for the exponents of the first chunk of a message like this one. */
size_t oi_next_packet_size(const optinc_collective *c, size_t count)
{
    size_t chunk = oi_chunk_elements(c, count);
    size_t size =
        OI_HEADER_SIZE + optinc_block_count(c->codec.block_size, count < chunk ? count : chunk);

    if (size < OI_PACKET_SIZE)
        return OI_PACKET_SIZE;
    return size < OI_PACKET_SIZE_MAX ? size : OI_PACKET_SIZE_MAX;
}

void oi_cut(oi_run *run)
{
    const optinc_collective *c = run->collective;
    size_t first;

    run->packet_size = c->packet_size;
    first = (run->packet_size - OI_HEADER_SIZE) * c->codec.block_size;
    run->chunk_elements = oi_chunk_elements(c, run->args->count);
    run->first_elements = first < run->chunk_elements ? first : run->chunk_elements;
    if (run->args->count == 0)
        return;
    run->chunk_count = 1;
    if (run->args->count > run->first_elements)
        run->chunk_count += (run->args->count - run->first_elements - 1) / run->chunk_elements + 1;
}
