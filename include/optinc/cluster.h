/* SPDX-License-Identifier: Apache-2.0 */
/* How long an all-reduce takes in a cluster: closed formulas, one a collective (docs/cluster.md
 * derives them and names their sources). They hold for full-duplex links, a network without
 * contention (full bisection), and servers that start together. */
#ifndef OPTINC_CLUSTER_H
#define OPTINC_CLUSTER_H

#include "optinc/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum optinc_cluster_collective {
    OPTINC_CLUSTER_RING = 0,             /* float ring: reduce-scatter, allgather */
    OPTINC_CLUSTER_HALVING_DOUBLING = 1, /* float, recursive halving and doubling (Rabenseifner) */
    OPTINC_CLUSTER_IN_NETWORK = 2,       /* float, electrical aggregation tree (SHARP-like) */
    OPTINC_CLUSTER_SOFTWARE = 3,         /* OptINC emulated: alltoall and allgather of codes */
    OPTINC_CLUSTER_OPTICAL = 4           /* OptINC: the optical switch, or a tree of them */
} optinc_cluster_collective;

#define OPTINC_CLUSTER_COLLECTIVE_COUNT 5u

/* "ring", "halving-doubling", "in-network", "software-optinc", "optinc"; NULL if out of range */
OPTINC_API const char *optinc_cluster_collective_name(optinc_cluster_collective collective);

/* How software OptINC's codes reach the server that is the switch for them. */
typedef enum optinc_cluster_alltoall {
    OPTINC_ALLTOALL_FASTEST = 0,  /* the faster of posted and bruck, as MPI libraries choose */
    OPTINC_ALLTOALL_POSTED = 1,   /* K-1 messages in flight at once: one latency, K-1 overheads */
    OPTINC_ALLTOALL_PAIRWISE = 2, /* one message in flight: K-1 latencies */
    OPTINC_ALLTOALL_BRUCK = 3     /* ceil(log2 K) messages, each of about half the codes */
} optinc_cluster_alltoall;

#define OPTINC_ALLTOALL_COUNT 4u

/* "fastest", "posted", "pairwise", "bruck"; NULL if out of range */
OPTINC_API const char *optinc_cluster_alltoall_name(optinc_cluster_alltoall alltoall);

typedef struct optinc_cluster {
    uint64_t servers;          /* K: 1 .. 2^24 */
    uint64_t elements;         /* of the gradient; each 4 bytes in float: 0 .. 2^48 */
    uint32_t bits;             /* B of a code: even, 2 .. 32 */
    uint32_t block_size;       /* elements that share an exponent byte: 4 .. 65536 */
    double link_gbps;          /* of one server, each direction, Gb/s: > 0 */
    double latency_us;         /* of a message between two servers: >= 0 */
    double overhead_us;        /* host time a message costs its sender: >= 0 */
    double host_gbps;          /* rate at which a host adds or codes float data; 0: free */
    uint32_t switch_radix;     /* children of a node in the electrical tree: 2 .. 4096 */
    double switch_latency_us;  /* of an electrical aggregation node: >= 0 */
    uint32_t optical_ports;    /* N of one optical switch: 2 .. 64, a power of two */
    double optical_latency_us; /* light through one optical switch, conversions included: >= 0 */
    double optical_gbps;       /* of a port of the optical switch; 0: the link's; >= 0 */
    optinc_cluster_alltoall alltoall; /* of software OptINC */
    /* of software OptINC, each after the other: 1 .. 65536; messages of up to 207 blocks are one */
    uint32_t chunks;
    double transceiver_pj_bit; /* energy of one transceiver a bit sent, receiving included: >= 0 */
    double optical_w; /* of all optical switches together, all-reducing or idle: >= 0; 0: unknown */
} optinc_cluster;

/* 4 servers, 2^24 elements, 8 bits, blocks of 256; 8 x 800 Gb/s a server (the paper's
 * assumption), 2 us a message, 0.2 us overhead, host free; radix 64 at 0.33 us (Quantum-2, second
 * hand); switches of 4 ports at 0.1 us and the link's rate; the fastest alltoall, one chunk; 21.25
 * pJ/bit (NVIDIA 800G DR8 data sheet); no power of optical switches. */
OPTINC_API optinc_cluster optinc_cluster_default(void);

typedef struct optinc_cluster_time {
    double bytes_per_server; /* sent by each server, exponents included */
    double time_s;           /* of one all-reduce; the sum of the next three */
    double latency_s;        /* messages, switches, per-message overhead */
    double transfer_s;       /* bytes over the link */
    double host_s;           /* arithmetic on the hosts */
    double energy_j;         /* all servers' transceivers, for the bytes sent */
    double optical_energy_j; /* optical_w over time_s; 0 where there are no optical switches */
    uint32_t levels;         /* of the aggregation tree; 0 where there is none */
} optinc_cluster_time;

/* Fields out of range: OPTINC_ERR_INVALID_ARGUMENT, the log names the field and its range. All zero
 * for one server. */
OPTINC_API optinc_status optinc_cluster_time_of(const optinc_cluster *cluster,
                                                optinc_cluster_collective collective,
                                                const optinc_log *log,
                                                optinc_cluster_time *time) OPTINC_WARN_UNUSED;

/* Optical switches of `ports` ports in the tree of one all-reduce: ceil(servers / ports^l) on every
 * level l up to the one that has one switch. 0 for one server, and for fewer than two ports. */
OPTINC_API uint64_t optinc_cluster_switches(uint64_t servers, uint32_t ports);

/* Time of a training step: compute, plus what of the all-reduce the backward pass does not hide.
 * compute_s >= 0, overlap in 0 .. 1: the share of the compute time during which gradients
 * travel. */
OPTINC_API double optinc_cluster_step_s(double compute_s, double allreduce_s, double overlap);

#ifdef __cplusplus
}
#endif
#endif
