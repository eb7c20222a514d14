/* SPDX-License-Identifier: Apache-2.0 */
/* K servers, n bytes of float gradient, link rate beta bytes/s, message latency alpha, per-message
 * overhead o. Sources: ring: Patarasuk and Yuan, JPDC 69 (2009); halving and doubling: Thakur,
 * Rabenseifner, Gropp, IJHPCA 19 (2005); overhead: LogP, Culler et al. 1993; aggregation tree:
 * Graham et al., COMHPC 2016 (SHARP), cut-through and pipelined. docs/cluster.md has them all. */
#include "optinc/cluster.h"

#include "base/log.h"

#include <math.h>

#define SERVERS_MAX ((uint64_t)1 << 24)
#define ELEMENTS_MAX ((uint64_t)1 << 48)

const char *optinc_cluster_collective_name(optinc_cluster_collective collective)
{
    static const char *const names[OPTINC_CLUSTER_COLLECTIVE_COUNT] = {
        "ring", "halving-doubling", "in-network", "software-optinc", "optinc"};

    return (unsigned)collective < OPTINC_CLUSTER_COLLECTIVE_COUNT ? names[collective] : NULL;
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
        {"optical latency (us)", cluster->optical_latency_us, true},
        {"transceiver energy (pJ/bit)", cluster->transceiver_pj_bit, true},
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
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "%llu servers; expected 1 .. %llu",
                       (unsigned long long)cluster->servers, (unsigned long long)SERVERS_MAX);
    if (cluster->elements > ELEMENTS_MAX)
        return oi_fail(log, OPTINC_ERR_OVERFLOW, "%llu elements; expected at most %llu",
                       (unsigned long long)cluster->elements, (unsigned long long)ELEMENTS_MAX);
    if (cluster->bits < 2 || cluster->bits > 32 || cluster->bits % 2 != 0)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%u bits; expected an even number in 2 .. 32", cluster->bits);
    if (cluster->block_size < 4 || cluster->block_size > 65536)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "block size %u; expected 4 .. 65536",
                       cluster->block_size);
    if (cluster->switch_radix < 2 || cluster->switch_radix > 4096)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "switch radix %u; expected 2 .. 4096",
                       cluster->switch_radix);
    if (cluster->optical_ports < 2 || cluster->optical_ports > 64 ||
        (cluster->optical_ports & (cluster->optical_ports - 1)) != 0)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "%u ports of an optical switch; expected a power of two in 2 .. 64",
                       cluster->optical_ports);
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

/* One byte a block, MAX, before the codes can be made. */
static void exponents(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    halving_doubling(cluster, ceil((double)cluster->elements / cluster->block_size), time);
}

/* Up and down are pipelined on full-duplex links: the data crosses each link once. */
static void in_network(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    time->levels = tree_levels(cluster->servers, cluster->switch_radix);
    time->bytes_per_server = float_bytes(cluster);
    time->latency_s = message_s(cluster) + 2.0 * time->levels * cluster->switch_latency_us * 1e-6;
    time->transfer_s = float_bytes(cluster) / beta(cluster);
}

/* alltoall, then allgather; K-1 messages in flight at once: one latency, K-1 overheads each. */
static void software_optinc(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    double bytes = 2.0 * others(cluster) * code_bytes(cluster);
    double posted_us = (double)(cluster->servers - 1) * cluster->overhead_us;

    exponents(cluster, time);
    time->bytes_per_server += bytes;
    time->latency_s += 2.0 * (cluster->latency_us + posted_us) * 1e-6;
    time->transfer_s += bytes / beta(cluster);
    time->host_s = 2.0 * float_bytes(cluster) * host_s_byte(cluster);
}

/* Light passes up the levels; the result is split back without being switched again. */
static void optical(const optinc_cluster *cluster, optinc_cluster_time *time)
{
    exponents(cluster, time);
    time->levels = tree_levels(cluster->servers, cluster->optical_ports);
    time->bytes_per_server += code_bytes(cluster);
    time->latency_s += message_s(cluster) + time->levels * cluster->optical_latency_us * 1e-6;
    time->transfer_s += code_bytes(cluster) / beta(cluster);
    time->host_s = 2.0 * float_bytes(cluster) * host_s_byte(cluster);
}

optinc_status optinc_cluster_time_of(const optinc_cluster *cluster,
                                     optinc_cluster_collective collective, const optinc_log *log,
                                     optinc_cluster_time *time)
{
    optinc_status status = check_cluster(cluster, log);

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
    default:
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "collective %d; expected 0 .. %u",
                       (int)collective, OPTINC_CLUSTER_COLLECTIVE_COUNT - 1);
    }
    time->time_s = time->latency_s + time->transfer_s + time->host_s;
    time->energy_j = (double)cluster->servers * time->bytes_per_server * 8.0 *
                     cluster->transceiver_pj_bit * 1e-12;
    return OPTINC_OK;
}

double optinc_cluster_step_s(double compute_s, double allreduce_s, double overlap)
{
    return compute_s + fmax(0.0, allreduce_s - overlap * compute_s);
}
