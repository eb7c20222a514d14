/* SPDX-License-Identifier: Apache-2.0 */
/* K servers, n bytes of float gradient, link rate beta bytes/s, message latency alpha, per-message
 * overhead o. Sources: ring: Patarasuk and Yuan, JPDC 69 (2009); halving and doubling: Thakur,
 * Rabenseifner, Gropp, IJHPCA 19 (2005); overhead: LogP, Culler et al. 1993; aggregation tree:
 * Graham et al., COMHPC 2016 (SHARP), cut-through and pipelined; alltoall and allgather in log2 K
 * rounds: Bruck, Ho, Kipnis, Upfal, Weathersby, IEEE TPDS 8(11) (1997). docs/cluster.md has all. */
#include "optinc/cluster.h"

#include "base/log.h"
#include "synthesis/budget.h"

#include <math.h>

#define SERVERS_MAX ((uint64_t)1 << 24)
/* Of these the exponents travel in the packet by which the library's all-reduce starts; a message no
 * longer than that is one chunk (src/collective/state.h). */
#define FIRST_BLOCKS 207.0
#define ELEMENTS_MAX ((uint64_t)1 << 48)

const char *optinc_cluster_collective_name(optinc_cluster_collective collective)
{
    static const char *const names[OPTINC_CLUSTER_COLLECTIVE_COUNT] = {
        "ring", "halving-doubling", "in-network", "software-optinc", "optinc"};

    return (unsigned)collective < OPTINC_CLUSTER_COLLECTIVE_COUNT ? names[collective] : NULL;
}

const char *optinc_cluster_alltoall_name(optinc_cluster_alltoall alltoall)
{
    static const char *const names[OPTINC_ALLTOALL_COUNT] = {"fastest", "posted", "pairwise",
                                                             "bruck"};

    return (unsigned)alltoall < OPTINC_ALLTOALL_COUNT ? names[alltoall] : NULL;
}

optinc_cluster optinc_cluster_default(void)
{
    return (optinc_cluster){.servers = 4,
                            .elements = (uint64_t)1 << 24,
                            .bits = 8,
                            .block_size = 256,
                            .link_gbps = 6400.0,
                            .latency_us = 2.0,
                            .overhead_us = 0.2,
                            .host_gbps = 0.0,
                            .switch_radix = 64,
                            .switch_latency_us = 0.33,
                            .optical_ports = 4,
                            .optical_latency_us = 0.1,
                            .chunks = 1,
                            .transceiver_pj_bit = 21.25};
}

typedef struct real_range {
    const char *name;
    double value;
    bool zero_allowed;
} real_range;

static optinc_status check_reals(const optinc_cluster *cluster, const optinc_log *log)
{
    const real_range ranges[] = {
        {"link rate (Gb/s)", cluster->link_gbps, false},
        {"message latency (us)", cluster->latency_us, true},
        {"message overhead (us)", cluster->overhead_us, true},
        {"host rate (Gb/s)", cluster->host_gbps, true},
        {"switch latency (us)", cluster->switch_latency_us, true},
        {"optical rate (Gb/s)", cluster->optical_gbps, true},
        {"optical latency (us)", cluster->optical_latency_us, true},
        {"transceiver energy (pJ/bit)", cluster->transceiver_pj_bit, true},
        {"optical switches' power (W)", cluster->optical_w, true},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const real_range *range = &ranges[i];
        bool inside = range->zero_allowed ? range->value >= 0.0 : range->value > 0.0;

        if (!inside || !isfinite(range->value))
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%s is %g; expected a number %s 0",
                           range->name, range->value, range->zero_allowed ? ">=" : ">");
    }
    return OPTINC_OK;
}

static optinc_status check_cluster(const optinc_cluster *cluster, const optinc_log *log)
{
    if (cluster->servers < 1 || cluster->servers > SERVERS_MAX)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "servers is %llu, expected 1 to %llu",
                       (unsigned long long)cluster->servers, (unsigned long long)SERVERS_MAX);
    if (cluster->elements > ELEMENTS_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW, "elements is %llu, expected at most %llu",
                       (unsigned long long)cluster->elements, (unsigned long long)ELEMENTS_MAX);
    if (cluster->bits < 2 || cluster->bits > 32 || cluster->bits % 2 != 0)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "bits is %u, expected an even number from 2 to 32", cluster->bits);
    if (cluster->block_size < 4 || cluster->block_size > 65536)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "block_size is %u, expected 4 to 65536",
                       cluster->block_size);
    if (cluster->switch_radix < 2 || cluster->switch_radix > 4096)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "switch_radix is %u, expected 2 to 4096",
                       cluster->switch_radix);
    if (cluster->optical_ports < 2 || cluster->optical_ports > 64 ||
        (cluster->optical_ports & (cluster->optical_ports - 1)) != 0)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "optical_ports is %u, expected a power of two from 2 to 64",
                       cluster->optical_ports);
    if (!optinc_cluster_alltoall_name(cluster->alltoall))
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "alltoall is %d, expected 0 to %u",
                       (int)cluster->alltoall, OPTINC_ALLTOALL_COUNT - 1);
    if (cluster->chunks < 1 || cluster->chunks > 65536)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%u chunks; expected 1 .. 65536",
                       cluster->chunks);
    return check_reals(cluster, log);
}

/* smallest L with base^L >= servers */
static uint32_t tree_levels(uint64_t servers, uint32_t base)
{
    uint32_t levels = 0;
    uint64_t reach = 1;

    while (reach < servers) {
        reach *= base; /* servers <= 2^24 and base <= 4096: below 2^36 */
        levels++;
    }
    return levels;
}

static double message_s(const optinc_cluster *cluster)
{
    return (cluster->latency_us + cluster->overhead_us) * 1e-6;
}

static double beta(const optinc_cluster *cluster)
{
    return cluster->link_gbps * 1e9 / 8.0;
}

static double float_bytes(const optinc_cluster *cluster)
{
    return 4.0 * (double)cluster->elements;
}

static double code_bytes(const optinc_cluster *cluster)
{
    return (double)cluster->elements * cluster->bits / 8.0;
}

/* (K-1)/K */
static double others(const optinc_cluster *cluster)
{
    return (double)(cluster->servers - 1) / (double)cluster->servers;
}

/* seconds that the host spends on a byte of float data */
static double host_s_byte(const optinc_cluster *cluster)
{
    return cluster->host_gbps > 0.0 ? 8e-9 / cluster->host_gbps : 0.0;
}

static void ring(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    time->bytes_per_server = 2.0 * others(cluster) * float_bytes(cluster);
    time->latency_s = 2.0 * (double)(cluster->servers - 1) * message_s(cluster);
    time->transfer_s = time->bytes_per_server / beta(cluster);
    time->host_s = others(cluster) * float_bytes(cluster) * host_s_byte(cluster);
}

/* Reduce-scatter and allgather among K: 2 (K-1)/K of the data leaves every server. Where K is no
 * power of two, the extra servers hand their data in first and get the result last: two more
 * messages of all the data on the critical path (Thakur et al., section 4.4). */
static void halving_doubling(const optinc_cluster *cluster, double bytes, optinc_cluster_time *time)
{
    uint32_t rounds = tree_levels(cluster->servers, 2);
    bool power = ((uint64_t)1 << rounds) == cluster->servers;
    uint64_t core = power ? cluster->servers : ((uint64_t)1 << rounds) / 2;
    double share = 2.0 * (double)(core - 1) / (double)core;

    time->bytes_per_server += bytes * (share + (power ? 0.0 : 1.0));
    time->latency_s += 2.0 * rounds * message_s(cluster);
    time->transfer_s += bytes * (share + (power ? 0.0 : 2.0)) / beta(cluster);
}

/* All the data in each of log2 K rounds, for short messages; extra servers as above (Thakur et al.,
 * section 4.4). */
static void recursive_doubling(const optinc_cluster *cluster, double bytes,
                               optinc_cluster_time *time)
{
    uint32_t rounds = tree_levels(cluster->servers, 2);
    bool power = ((uint64_t)1 << rounds) == cluster->servers;
    uint32_t messages = power ? rounds : rounds + 1; /* floor(log2 K) and two more */

    time->bytes_per_server += bytes * messages;
    time->latency_s += messages * message_s(cluster);
    time->transfer_s += bytes * messages / beta(cluster);
}

/* One byte a block, MAX, before the codes can be made; the faster of two all-reduces. */
static void exponents(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    double bytes = ceil((double)cluster->elements / cluster->block_size);
    optinc_cluster_time halving = {0}, doubling = {0};

    halving_doubling(cluster, bytes, &halving);
    recursive_doubling(cluster, bytes, &doubling);
    *time = halving.latency_s + halving.transfer_s < doubling.latency_s + doubling.transfer_s
                ? halving
                : doubling;
}

/* Up and down are pipelined on full-duplex links: the data crosses each link once. */
static void in_network(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    time->levels = tree_levels(cluster->servers, cluster->switch_radix);
    time->bytes_per_server = float_bytes(cluster);
    time->latency_s = message_s(cluster) + 2.0 * time->levels * cluster->switch_latency_us * 1e-6;
    time->transfer_s = float_bytes(cluster) / beta(cluster);
}

typedef struct exchange {
    double latency_s;
    double bytes;
} exchange;

/* Round r of Bruck's alltoall carries the blocks whose number has bit r set. */
static exchange bruck(const optinc_cluster *cluster)
{
    double blocks = 0.0, block = code_bytes(cluster) / (double)cluster->servers;
    uint32_t rounds = tree_levels(cluster->servers, 2);

    for (uint32_t r = 0; r < rounds; r++) {
        uint64_t period = (uint64_t)2 << r, rest = cluster->servers % period;

        uint64_t half = period / 2, whole = cluster->servers / period * half;

        blocks += (double)(whole + (rest > half ? rest - half : 0));
    }
    return (exchange){rounds * message_s(cluster), blocks * block};
}

static exchange alltoall(const optinc_cluster *cluster, optinc_cluster_alltoall how)
{
    double messages = (double)(cluster->servers - 1);
    exchange posted = {(cluster->latency_us + messages * cluster->overhead_us) * 1e-6,
                       others(cluster) * code_bytes(cluster)};
    exchange rounds = bruck(cluster);

    if (how == OPTINC_ALLTOALL_PAIRWISE)
        return (exchange){messages * message_s(cluster), posted.bytes};
    if (how == OPTINC_ALLTOALL_BRUCK)
        return rounds;
    if (how == OPTINC_ALLTOALL_FASTEST && rounds.latency_s + rounds.bytes / beta(cluster) <
                                              posted.latency_s + posted.bytes / beta(cluster))
        return rounds;
    return posted;
}

/* alltoall of the codes, then an allgather of the results in log2 K rounds. Chunks that do not
 * overlap wait for their messages once each. */
static void software_optinc(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    exchange codes = alltoall(cluster, cluster->alltoall);
    double bytes = codes.bytes + others(cluster) * code_bytes(cluster);

    exponents(cluster, time);
    time->bytes_per_server += bytes;
    time->latency_s += codes.latency_s + tree_levels(cluster->servers, 2) * message_s(cluster);
    if (ceil((double)cluster->elements / cluster->block_size) > FIRST_BLOCKS)
        time->latency_s *= cluster->chunks;
    time->transfer_s += bytes / beta(cluster);
    time->host_s = 2.0 * float_bytes(cluster) * host_s_byte(cluster);
}

/* Light passes up the levels; the result is split back without being switched again. */
static void optical(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    double port = cluster->optical_gbps * 1e9 / 8.0;
    double rate = port > 0.0 ? fmin(port, beta(cluster)) : beta(cluster);

    exponents(cluster, time);
    time->levels = tree_levels(cluster->servers, cluster->optical_ports);
    time->bytes_per_server += code_bytes(cluster);
    time->latency_s += message_s(cluster) + time->levels * cluster->optical_latency_us * 1e-6;
    time->transfer_s += code_bytes(cluster) / rate;
    time->host_s = 2.0 * float_bytes(cluster) * host_s_byte(cluster);
}

optinc_status optinc_cluster_time_of(const optinc_cluster *cluster,
                                     optinc_cluster_collective collective, const optinc_log *log,
                                     optinc_cluster_time *time)
{
    optinc_status status;

    if (!cluster || !time)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "cluster or time is NULL");
    if ((unsigned)collective >= OPTINC_CLUSTER_COLLECTIVE_COUNT)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "collective %d; expected 0 .. %u",
                       (int)collective, OPTINC_CLUSTER_COLLECTIVE_COUNT - 1);
    status = check_cluster(cluster, log);
    if (status != OPTINC_OK)
        return status;
    *time = (optinc_cluster_time){0};
    if (cluster->servers == 1)
        return OPTINC_OK;
    switch (collective) {
    case OPTINC_CLUSTER_RING:
        ring(cluster, time);
        break;
    case OPTINC_CLUSTER_HALVING_DOUBLING:
        halving_doubling(cluster, float_bytes(cluster), time);
        time->host_s = others(cluster) * float_bytes(cluster) * host_s_byte(cluster);
        break;
    case OPTINC_CLUSTER_IN_NETWORK:
        in_network(cluster, time);
        break;
    case OPTINC_CLUSTER_SOFTWARE:
        software_optinc(cluster, time);
        break;
    case OPTINC_CLUSTER_OPTICAL:
        optical(cluster, time);
        break;
    }
    time->time_s = time->latency_s + time->transfer_s + time->host_s;
    time->energy_j =
        1e-12 * oi_transceivers_pj((double)cluster->servers, 8.0 * time->bytes_per_server,
                                   cluster->transceiver_pj_bit);
    if (collective == OPTINC_CLUSTER_OPTICAL)
        time->optical_energy_j = cluster->optical_w * time->time_s;
    return OPTINC_OK;
}

uint64_t optinc_cluster_switches(uint64_t servers, uint32_t ports)
{
    uint64_t count = 0;

    while (servers > 1 && ports > 1) {
        servers = servers / ports + (servers % ports != 0);
        count += servers;
    }
    return count;
}

double optinc_cluster_step_s(double compute_s, double allreduce_s, double overlap)
{
    return compute_s + fmax(0.0, allreduce_s - overlap * compute_s);
}
