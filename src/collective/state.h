/* SPDX-License-Identifier: Apache-2.0 */
/* What a collective object holds. K servers (transport ranks), B bits of a code.
 *
 * A message is cut into chunks of whole blocks. A chunk lives in one of OI_LANES lanes while it goes
 * through its stages: exponents agreed, codes exchanged, shares reduced, results gathered. A lane has
 * one operation in flight at a time, so its number is its transport slot. What a stage needs for a
 * few steps only, chunks take in turn.
 *
 * Memory: lanes are made when a message first needs them, for the largest chunk so far, and kept. With
 * chunks of c elements of B bits and n = min(chunks, OI_LANES) of them that is at most
 *   c B/8 (min(n, OI_CODES) + min(n, OI_RECEIVED) + min(n, OI_REDUCED)/K) + n c/block_size
 * bytes beside what is fixed: 7.8 bytes for each element of a chunk with B = 8 and K = 4. */
#ifndef OI_COLLECTIVE_STATE_H
#define OI_COLLECTIVE_STATE_H

#include "optinc/collective.h"

#define OI_STAGE_STEPS 2u /* from an exchange's start to the wait for it */
/* three exchanges in flight, one chunk being finished */
#define OI_LANES (3u * OI_STAGE_STEPS + 1u)
/* In step t chunk t-4 is reduced before t-2 is sent, and t-6 finished after both. */
#define OI_CODES (2u * OI_STAGE_STEPS + 1u)
#define OI_RECEIVED OI_STAGE_STEPS
#define OI_REDUCED (OI_STAGE_STEPS + 1u)
#define OI_SLOT_CONFIRM OI_LANES
_Static_assert(OI_SLOT_CONFIRM < OPTINC_TRANSPORT_SLOTS, "every lane has a slot");

/* The header that all ranks compare travels with the exponents of the first blocks, so that a small
 * message needs one MAX all-reduce. The packet's size cannot depend on what is being compared, but it
 * may on what the ranks agreed on last: jobs repeat their sizes. */
#define OI_PACKET_SIZE 256u      /* with no call before */
#define OI_PACKET_SIZE_MAX 8192u /* exponents of two million elements */
#define OI_HEADER_FIELDS 3u      /* count, step, op */
#define OI_HEADER_SIZE (16u * OI_HEADER_FIELDS + 1u)

typedef struct oi_lane {
    size_t first; /* the chunk's first element in the message */
    size_t count;
    size_t share;      /* elements that each rank reduces: ceil(count/K), a multiple of 4 */
    size_t share_size; /* their bytes, packed */
    uint8_t *packet;   /* the lane's own: the exponents of all its chunks but chunk 0 */
    uint8_t *exponents;
    uint8_t *codes;    /* [K][share_size] this rank's; later the gathered results */
    uint8_t *received; /* [K][share_size] all ranks' codes of this rank's share */
    uint8_t *reduced;  /* [share_size] */
} oi_lane;

/* What the lanes of a size need. */
typedef struct oi_sizes {
    size_t lanes;
    size_t packet;   /* bytes */
    size_t exchange; /* bytes of codes, and of received; K times those of reduced */
} oi_sizes;

struct optinc_collective {
    optinc_transport transport;
    optinc_log log;
    optinc_codec codec;
    optinc_switch *sw;
    uint32_t ports;
    uint32_t servers;   /* that the mean divides by: all ranks, unless some are known to be gone */
    double bias_max;    /* of the mean by dark ports, in units of 2^e */
    uint8_t *states;    /* [ports] optinc_port_state; NULL without faults */
    bool is_gone;       /* this rank is known to be: its codes go nowhere */
    uint64_t seed;      /* of the switch's rounding */
    uint64_t rank_seed; /* of this rank's quantisation */
    bool switch_stochastic;
    bool confirm;          /* the backend may fail in the middle: agree on the end as well */
    size_t chunk_elements; /* the largest; a multiple of the block size */
    bool chunk_set;        /* by the caller: every message is cut so */
    size_t chunk_multiple; /* of the block size, and of 4K where that is small */
    size_t piece_elements; /* between two calls of the transport's progress */
    oi_sizes sizes;        /* of what is allocated */
    size_t packet_size;    /* of the next call */
    float *scratch;        /* [block_size] */
    /* a block in float: [float_elements] twice, and a share of them; whole shares of K ranks */
    size_t float_elements;
    float *float_values;
    float *float_received;
    float *float_sum;
    optinc_status broken;               /* the transport's failure that ended this object */
    uint32_t in_flight;                 /* bit per slot */
    uint8_t packet[OI_PACKET_SIZE_MAX]; /* of chunk 0, and what the ranks compare at creation */
    oi_lane lanes[OI_LANES];
    uint8_t *codes[OI_CODES];
    uint8_t *received[OI_RECEIVED];
    uint8_t *reduced[OI_REDUCED];
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

#define OI_CHUNK_ELEMENTS_MAX ((size_t)1 << 20) /* unless the caller says so */

size_t oi_round_up(size_t value, size_t multiple);
/* Elements of the chunks of a message: the same on every rank. */
size_t oi_chunk_elements(const optinc_collective *collective, size_t count);
/* Memory for `chunks` chunks of `elements`. */
optinc_status oi_reserve(optinc_collective *collective, size_t elements,
                         size_t chunks) OPTINC_WARN_UNUSED;
void oi_release(optinc_collective *collective);
/* ceil(count / ranks), rounded up to a multiple of 4 so that shares begin at whole bytes */
size_t oi_share_elements(size_t count, uint32_t ranks);

/* One all-reduce. */
typedef struct oi_run {
    optinc_collective *collective;
    const optinc_allreduce_args *args;
    optinc_allreduce_report report;
    optinc_codec codec; /* the collective's, with the call's turn */
    size_t chunk_elements;
    size_t first_elements; /* of chunk 0: its exponents must fit the packet */
    size_t packet_size;
    size_t chunk_count;
    uint8_t exponent_max; /* of the blocks that went through the switch */
    optinc_status fault;  /* the first failure of codec or switch on this rank */
    double charged;       /* until when the report's seconds are made up */
    double progressed;    /* when the transport's progress was called last */
} oi_run;

/* Cuts run's message, with chunk 0 as large as the packet has room for. */
void oi_cut(oi_run *run);
/* Room for the exponents of the first chunk of a message like this one. */
size_t oi_next_packet_size(const optinc_collective *collective, size_t count);

/* IEEE sums: x [ranks][share], the floats of all ranks, to their sum or mean in rank order. */
void oi_sum_in_rank_order(const oi_run *run, const float *x, size_t share, float *sum);

/* Reduces the lane's blocks marked OPTINC_EXPONENT_NON_FINITE in float: alltoall of the values, sum
 * in rank order, allgather. `values` [lane->count] is this rank's part, `output` [lane->count] gets
 * the result and may equal values. */
optinc_status oi_reduce_float_blocks(oi_run *run, oi_lane *lane, uint32_t slot, const float *values,
                                     float *output) OPTINC_WARN_UNUSED;

oi_lane *oi_lane_of(oi_run *run, size_t chunk);
uint32_t oi_slot_of(size_t chunk);
/* The lane of a chunk that begins, with its buffers. */
oi_lane *oi_open_lane(oi_run *run, size_t chunk);
/* What ends the stages: the MAX of the lane's exponents [size], the alltoall of its codes; and the wait
 * that the next stage begins with. */
optinc_status oi_send_exponents(oi_run *run, size_t chunk, size_t size) OPTINC_WARN_UNUSED;
optinc_status oi_send_codes(oi_run *run, size_t chunk) OPTINC_WARN_UNUSED;
optinc_status oi_await(oi_run *run, size_t chunk) OPTINC_WARN_UNUSED;
/* The first failure of codec or switch. The rank goes on with the protocol, so that the others are
 * not left waiting, and fails at the end. */
void oi_note_fault(oi_run *run, optinc_status status);
/* Time since the last charge goes to one of the report's parts. */
void oi_charge(oi_run *run, double *part);
/* Lets the transport move what is in flight, if it is due; what came before is charged to `part`. */
void oi_run_progress(oi_run *run, double *part);
/* What a maximum of so many bytes sends from a rank. */
uint64_t oi_max_bytes(const optinc_collective *collective, size_t size);
/* Of `blocks` blocks that have been agreed on. */
void oi_note_exponents(oi_run *run, const uint8_t *exponents, size_t blocks);
/* This rank is the switch for `count` elements; the first is number `element` of the message. */
void oi_switch_share(oi_run *run, oi_lane *lane, uint64_t element, size_t count);
/* What the call returns, from what its pipeline did; completes the report, and copies it out unless
 * that is NULL. */
optinc_status oi_run_end(oi_run *run, optinc_status status,
                         optinc_allreduce_report *report) OPTINC_WARN_UNUSED;

double oi_seconds(void); /* monotonic */

#endif
