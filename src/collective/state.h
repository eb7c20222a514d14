/* SPDX-License-Identifier: Apache-2.0 */
/* What a collective object holds. K servers (transport ranks), B bits of a code.
 *
 * A message is cut into chunks of whole blocks. A chunk lives in one of OI_LANES lanes while it goes
 * through its stages: exponents agreed, codes exchanged, shares reduced, results gathered. A lane has
 * one operation in flight at a time, so its number is its transport slot. */
#ifndef OI_COLLECTIVE_STATE_H
#define OI_COLLECTIVE_STATE_H

#include "optinc/collective.h"

#define OI_STAGE_STEPS 2u /* from an exchange's start to the wait for it */
/* three exchanges in flight, one chunk being finished */
#define OI_LANES (3u * OI_STAGE_STEPS + 1u)
#define OI_SLOT_CONFIRM OI_LANES
_Static_assert(OI_SLOT_CONFIRM < OPTINC_TRANSPORT_SLOTS, "every lane has a slot");

/* The header that all ranks compare travels with the exponents of the first blocks, so that a small
 * message needs one MAX all-reduce. The packet's size cannot depend on what is being compared. */
#define OI_PACKET_SIZE 256u
#define OI_HEADER_FIELDS 3u /* count, step, op */
#define OI_HEADER_SIZE (16u * OI_HEADER_FIELDS + 1u)
#define OI_FIRST_BLOCKS (OI_PACKET_SIZE - OI_HEADER_SIZE)

typedef struct oi_lane {
    size_t first; /* the chunk's first element in the message */
    size_t count;
    size_t share;       /* elements that each rank reduces: ceil(count/K), a multiple of 4 */
    size_t share_size;  /* their bytes, packed */
    uint8_t *packet;    /* what goes through the MAX all-reduce */
    uint8_t *exponents; /* in the packet */
    uint8_t *codes;     /* [K][share_size] this rank's; later the gathered results */
    uint8_t *received;  /* [K][share_size] all ranks' codes of this rank's share */
    uint8_t *reduced;   /* [share_size] */
} oi_lane;

struct optinc_collective {
    optinc_transport transport;
    optinc_log log;
    optinc_codec codec;
    optinc_switch *sw;
    uint32_t ports;
    uint32_t servers; /* that the mean divides by: all ranks, unless some are known to be gone */
    double bias_max;  /* of the mean by dark ports, in units of 2^e */
    uint8_t *states;  /* [ports] optinc_port_state; NULL without faults */
    bool is_gone;     /* this rank is known to be: its codes go nowhere */
    uint64_t seed;
    bool switch_stochastic;
    bool confirm;          /* the backend may fail in the middle: agree on the end as well */
    size_t chunk_elements; /* capacity of a lane; a multiple of the block size */
    bool chunk_set;        /* by the caller: every message is cut so */
    size_t chunk_multiple; /* of the block size, and of 4K where that is small */
    size_t piece_elements; /* between two calls of the transport's progress */
    size_t exchange_size;  /* bytes of a lane's codes, and of received */
    float *scratch;        /* [block_size] */
    optinc_status broken;  /* the transport's failure that ended this object */
    uint32_t in_flight;    /* bit per slot */
    uint8_t settings[OI_PACKET_SIZE]; /* what the ranks compare at creation */
    oi_lane lanes[OI_LANES];
};

/* Transport calls: count what is in flight, remember the failure that ends the object. */
optinc_status oi_start_max(optinc_collective *collective, uint32_t slot, uint8_t *data,
                           size_t size) OPTINC_WARN_UNUSED;
optinc_status oi_start_alltoall(optinc_collective *collective, uint32_t slot, const void *send,
                                void *receive, size_t size) OPTINC_WARN_UNUSED;
optinc_status oi_start_allgather(optinc_collective *collective, uint32_t slot, const void *send,
                                 void *receive, size_t size) OPTINC_WARN_UNUSED;
optinc_status oi_wait(optinc_collective *collective, uint32_t slot) OPTINC_WARN_UNUSED;
void oi_progress(const optinc_collective *collective);

/* Elements of the chunks of a message, and of its first chunk: the same on every rank. */
size_t oi_chunk_elements(const optinc_collective *collective, size_t count);
/* ceil(count / ranks), rounded up to a multiple of 4 so that shares begin at whole bytes */
size_t oi_share_elements(size_t count, uint32_t ranks);

/* One all-reduce. */
typedef struct oi_run {
    optinc_collective *collective;
    const optinc_allreduce_args *args;
    optinc_allreduce_report report;
    size_t chunk_elements;
    size_t first_elements; /* of chunk 0: its exponents must fit the packet */
    size_t chunk_count;
    uint8_t exponent_max; /* of the blocks that went through the switch */
    optinc_status fault;  /* the first failure of codec or switch on this rank */
    double charged;       /* until when the report's seconds are made up */
    double progressed;    /* when the transport's progress was called last */
} oi_run;

/* Reduces the lane's blocks marked OPTINC_EXPONENT_NON_FINITE in float: alltoall of the values, sum
 * in rank order, allgather. `values` [lane->count] is this rank's part, `output` [lane->count] gets
 * the result and may equal values. The lane's buffers are free for it. */
optinc_status oi_reduce_float_blocks(oi_run *run, oi_lane *lane, uint32_t slot, const float *values,
                                     float *output) OPTINC_WARN_UNUSED;

double oi_seconds(void); /* monotonic */

#endif
