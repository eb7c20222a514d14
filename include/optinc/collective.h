/* SPDX-License-Identifier: Apache-2.0 */
/* The all-reduce through a switch, and the float ring that it is compared with, over any transport
 * (docs/training.md). Each rank is the switch for its share of the elements:
 * alltoall(codes) -> switch -> allgather(results). */
#ifndef OPTINC_COLLECTIVE_H
#define OPTINC_COLLECTIVE_H

#include "optinc/switch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Requests in flight at once are numbered 0 .. OPTINC_TRANSPORT_SLOTS-1 by the caller. */
#define OPTINC_TRANSPORT_SLOTS 8u

/* What the library asks of an existing engine (MPI, torch.distributed). Every function is called by
 * all ranks in the same order with the same sizes. start_* begin an operation in a free slot and
 * may finish it at once; buffers stay untouched until wait(slot) has returned. After a start or a
 * wait that fails the engine may still use the buffers. A failure is OPTINC_ERR_TRANSPORT (or
 * _TIMEOUT, or _OUT_OF_MEMORY) and ends the collective: it is returned to the caller and the
 * collective object can only be destroyed. */
typedef struct optinc_transport {
    void *user;
    uint32_t rank;
    uint32_t size; /* K */
    /* send [size][bytes], recv [size][bytes]: block i of send goes to rank i */
    optinc_status (*start_alltoall)(void *user, uint32_t slot, const void *send, void *recv,
                                    size_t bytes);
    /* send [bytes], recv [size][bytes] */
    optinc_status (*start_allgather)(void *user, uint32_t slot, const void *send, void *recv,
                                     size_t bytes);
    /* data [bytes], unsigned, byte-wise maximum over the ranks, in place */
    optinc_status (*start_max)(void *user, uint32_t slot, uint8_t *data, size_t bytes);
    /* send [bytes] to rank `to`, recv [bytes] from rank `from`; needed by the float ring only,
     * may be NULL otherwise */
    optinc_status (*start_sendrecv)(void *user, uint32_t slot, const void *send, uint32_t to,
                                    void *recv, uint32_t from, size_t bytes);
    optinc_status (*wait)(void *user, uint32_t slot);
    /* called between pieces of computing, so that an engine without a thread of its own can move
     * what is in flight; a failure shows in wait; may be NULL */
    void (*progress)(void *user);
} optinc_transport;

typedef struct optinc_collective_options {
    uint32_t block_size;      /* elements; 0: OPTINC_BLOCK_SIZE_DEFAULT */
    optinc_rounding rounding; /* of the quantisation */
    uint64_t seed; /* the same on all ranks; each rounds with its own optinc_rank_seed, so with
                      stochastic rounding the order of ranks shows in the bits */
    size_t chunk_elements; /* pipelined unit; 0: chosen from message size and ranks */
    uint32_t thread_count; /* 0: one */
    optinc_kernel kernel;
    const optinc_backend *backend; /* NULL: exact if the design is proved so, else table */
    const void *backend_options;
    /* Faults of the network to emulate, borrowed for the call; rank i is the server on port i. NULL:
     * none. The ranks themselves go on: what fails is the light between them. OPTINC_FAULT_ERROR: all
     * ranks' all-reduces return OPTINC_ERR_DARK, their outputs undefined, and the log of a rank that
     * saw it names the input. A result otherwise is over the servers that are left
     * (optinc_fault_effect): blocks that are reduced in float leave out the ports that are idle, and
     * error_bound_max includes what dark ports may do (optinc_faults_bias_max). */
    const optinc_faults *faults;
} optinc_collective_options;

typedef struct optinc_collective optinc_collective;

/* Collective over the transport's ranks: design, options and size are compared, and if any rank
 * differs all of them return OPTINC_ERR_MISMATCH. size K > the design's ports N:
 * OPTINC_ERR_INVALID_ARGUMENT on every rank. The transport struct is copied, the design borrowed.
 * options NULL: defaults. */
OPTINC_API optinc_status optinc_collective_create(const optinc_transport *transport,
                                                  const optinc_design *design,
                                                  const optinc_collective_options *options,
                                                  const optinc_log *log,
                                                  optinc_collective **out) OPTINC_WARN_UNUSED;
/* Safe on NULL and twice; not collective. Buffers of operations that a failed transport never
 * finished are not freed, as the engine may still write to them. */
OPTINC_API void optinc_collective_destroy(optinc_collective **collective);

typedef struct optinc_allreduce_args {
    const float *input; /* [count]; may equal output (in place), else no overlap */
    float *output;      /* [count] */
    size_t count;       /* 0 is allowed */
    optinc_op op;
    float *error_feedback; /* [count], the caller's state: added to the input, then replaced by this
                              step's quantisation error; NULL: none */
    uint64_t step;         /* keys the stochastic roundings */
    optinc_turn turn;      /* the same on all ranks */
} optinc_allreduce_args;

/* What one all-reduce did, on this rank. */
typedef struct optinc_allreduce_report {
    uint64_t elements;
    uint64_t blocks;
    uint64_t blocks_non_finite; /* reduced in float */
    uint64_t bytes_sent;        /* to other ranks: codes, results, exponents */
    double error_bound_max;     /* largest optinc_error_bound of any block */
    double seconds_quantise;    /* exponents included */
    double seconds_exchange;    /* in the transport: starting, moving, waiting */
    double seconds_switch;
    double seconds_dequantise;
} optinc_allreduce_report;

/* The same bits on every rank, whatever the message size, chunking, thread count, rank order and
 * transport. Ranks that disagree on count or op all return OPTINC_ERR_MISMATCH and the outputs stay
 * as they were; so do those of a rank whose arguments are refused (OPTINC_ERR_INVALID_ARGUMENT, or
 * OPTINC_ERR_OVERFLOW for a count of which there can be no array), and the others with it. report
 * may be NULL. One call at a time per collective. */
OPTINC_API optinc_status optinc_allreduce(optinc_collective *collective,
                                          const optinc_allreduce_args *args,
                                          optinc_allreduce_report *report) OPTINC_WARN_UNUSED;

typedef struct optinc_reduce_scatter_args {
    const float *input; /* [K][count], a part for each rank */
    float *output; /* [count], this rank's part of the result; may be its part of the input, else
                           no overlap */
    size_t count;  /* of a part, the same on all ranks; 0 is allowed */
    optinc_op op;
    uint64_t step; /* keys the stochastic roundings */
} optinc_reduce_scatter_args;

/* As optinc_allreduce of the K parts, but each rank gets its own part alone and no results travel:
 * half the bytes. Blocks are counted from the start of each part, so the bits are an all-reduce's
 * where `count` is a multiple of the block size; else element i of part r has, for stochastic
 * roundings, the index r c + i with c the next multiple of 4 from `count`. The report's elements
 * and blocks are those of all parts. */
OPTINC_API optinc_status optinc_reduce_scatter(optinc_collective *collective,
                                               const optinc_reduce_scatter_args *args,
                                               optinc_allreduce_report *report) OPTINC_WARN_UNUSED;

/* The plain float ring (reduce-scatter, then allgather): 2(K-1)/K of the data from every rank.
 * scratch [ceil(count/size)] floats; input may equal output, else no overlap. A transport without
 * start_sendrecv: OPTINC_ERR_INVALID_ARGUMENT. The ranks do not compare their arguments here. */
OPTINC_API optinc_status optinc_ring_allreduce(const optinc_transport *transport,
                                               const float *input, float *output, size_t count,
                                               optinc_op op, float *scratch) OPTINC_WARN_UNUSED;

#ifdef __cplusplus
}
#endif
#endif
