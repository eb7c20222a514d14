/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster time model against figures worked out by hand and published ones. */
#include "optinc/cluster.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static optinc_cluster_time time_of(const optinc_cluster *cluster,
                                   optinc_cluster_collective collective)
{
    optinc_cluster_time time;

    memset(&time, 0xA5, sizeof time);
    assert_int_equal(optinc_cluster_time_of(cluster, collective, NULL, &time), OPTINC_OK);
    return time;
}

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.17g, expected %.17g", value, expected);
}

/* arXiv 2603.28290: a ring moves 1.5, 1.75, 1.875 of the gradient at N = 4, 8, 16. */
static void ring_traffic_is_the_papers(void **state)
{
    const uint64_t servers[] = {4, 8, 16};
    const double traffic[] = {1.5, 1.75, 1.875};
    const double doublings[] = {2.0, 3.0, 4.0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        optinc_cluster cluster = optinc_cluster_default();

        cluster.servers = servers[i];
        assert_near(time_of(&cluster, OPTINC_CLUSTER_RING).bytes_per_server,
                    traffic[i] * 4.0 * (double)cluster.elements, 1e-15);
        /* the optical switch: each code once, and an exponent's byte a block: in all of log2 K
         * rounds where latency counts, else 2 (K-1)/K times */
        assert_near(time_of(&cluster, OPTINC_CLUSTER_OPTICAL).bytes_per_server,
                    (double)cluster.elements * (1.0 + doublings[i] / 256.0), 1e-15);
        cluster.latency_us = cluster.overhead_us = 0.0;
        assert_near(time_of(&cluster, OPTINC_CLUSTER_OPTICAL).bytes_per_server,
                    (double)cluster.elements * (1.0 + traffic[i] / 256.0), 1e-15);
    }
}

/* 4 ranks, 64 MiB, 1 Gb/s, no latency: a ring 0.80 s, 8-bit alltoall and allgather 0.20 s
 * (bytes over rate by hand, to two places). */
static void gigabit_figures(void **state)
{
    optinc_cluster cluster = optinc_cluster_default();

    (void)state;
    cluster.link_gbps = 1.0;
    cluster.latency_us = 0.0;
    cluster.overhead_us = 0.0;
    assert_near(time_of(&cluster, OPTINC_CLUSTER_RING).time_s, 0.80, 0.01);
    assert_near(time_of(&cluster, OPTINC_CLUSTER_SOFTWARE).time_s, 0.20, 0.02);
}

/* latency alone: ring 2 (K-1), halving and doubling 2 log2 K messages */
static void latencies(void **state)
{
    optinc_cluster cluster = optinc_cluster_default();

    (void)state;
    cluster.elements = 0;
    cluster.servers = 1024;
    cluster.latency_us = 3.0;
    cluster.overhead_us = 1.0;
    assert_near(time_of(&cluster, OPTINC_CLUSTER_RING).time_s, 2046 * 4e-6, 1e-12);
    assert_near(time_of(&cluster, OPTINC_CLUSTER_HALVING_DOUBLING).time_s, 20 * 4e-6, 1e-12);
    cluster.servers = 1000; /* folded to 512 and back: 9 + 1 rounds each way */
    assert_near(time_of(&cluster, OPTINC_CLUSTER_HALVING_DOUBLING).time_s, 20 * 4e-6, 1e-12);
    assert_int_equal(time_of(&cluster, OPTINC_CLUSTER_IN_NETWORK).levels, 2);
    assert_int_equal(time_of(&cluster, OPTINC_CLUSTER_OPTICAL).levels, 5);
}

/* An independent count of what every server sends in halving and doubling: K a power of two, the
 * data halves in each of log2 K rounds and doubles again. */
static void halving_doubling_bytes(void **state)
{
    (void)state;
    for (uint64_t servers = 2; servers <= 4096; servers *= 2) {
        optinc_cluster cluster = optinc_cluster_default();
        double bytes = 0.0;
        double part = 4.0 * (double)cluster.elements;

        cluster.servers = servers;
        for (uint64_t k = servers; k > 1; k /= 2) {
            part /= 2.0;
            bytes += 2.0 * part;
        }
        assert_near(time_of(&cluster, OPTINC_CLUSTER_HALVING_DOUBLING).bytes_per_server, bytes,
                    1e-12);
    }
}

/* Bruck's alltoall played through: in round r every server sends on the blocks that it holds whose
 * way still to go has bit r set; a server's own blocks start with ways 0 .. K-1. */
static void bruck_bytes(void **state)
{
    (void)state;
    for (uint64_t servers = 2; servers <= 300; servers++) {
        optinc_cluster cluster = optinc_cluster_default();
        optinc_cluster_time bruck, pairwise;
        uint64_t blocks = 0, rounds = 0;

        for (uint64_t bit = 1; bit < servers; bit *= 2, rounds++)
            for (uint64_t way = 0; way < servers; way++)
                blocks += (way & bit) != 0;
        cluster.servers = servers;
        cluster.alltoall = OPTINC_ALLTOALL_PAIRWISE;
        pairwise = time_of(&cluster, OPTINC_CLUSTER_SOFTWARE);
        cluster.alltoall = OPTINC_ALLTOALL_BRUCK;
        bruck = time_of(&cluster, OPTINC_CLUSTER_SOFTWARE);
        assert_near(bruck.bytes_per_server - pairwise.bytes_per_server,
                    (double)cluster.elements * ((double)blocks - (double)(servers - 1)) /
                        (double)servers,
                    1e-9);
        assert_near(pairwise.latency_s - bruck.latency_s,
                    ((double)(servers - 1) - (double)rounds) * 2.2e-6, 1e-9);
    }
}

static void the_fastest_alltoall(void **state)
{
    const optinc_cluster_alltoall named[] = {OPTINC_ALLTOALL_POSTED, OPTINC_ALLTOALL_BRUCK};

    (void)state;
    for (uint64_t servers = 2; servers <= 65536; servers *= 2) {
        optinc_cluster cluster = optinc_cluster_default();
        double fastest, best = INFINITY;

        cluster.servers = servers;
        fastest = time_of(&cluster, OPTINC_CLUSTER_SOFTWARE).time_s;
        for (int i = 0; i < 2; i++) {
            cluster.alltoall = named[i];
            best = fmin(best, time_of(&cluster, OPTINC_CLUSTER_SOFTWARE).time_s);
        }
        assert_true(fastest == best);
    }
}

/* Chunks that do not overlap: the same bytes, each latency anew. */
static void chunks_pay_latencies(void **state)
{
    optinc_cluster cluster = optinc_cluster_default();
    optinc_cluster_time one = time_of(&cluster, OPTINC_CLUSTER_SOFTWARE), three;

    (void)state;
    cluster.chunks = 3;
    three = time_of(&cluster, OPTINC_CLUSTER_SOFTWARE);
    assert_near(three.latency_s, 3.0 * one.latency_s, 1e-12);
    assert_true(three.transfer_s == one.transfer_s);
}

/* An optical port slower than the link holds the codes back, a faster one changes nothing. */
static void optical_port_rate(void **state)
{
    optinc_cluster cluster = optinc_cluster_default();
    optinc_cluster_time link = time_of(&cluster, OPTINC_CLUSTER_OPTICAL), port;

    (void)state;
    cluster.optical_gbps = 100000.0;
    port = time_of(&cluster, OPTINC_CLUSTER_OPTICAL);
    assert_true(port.time_s == link.time_s);
    cluster.optical_gbps = 100.0;
    port = time_of(&cluster, OPTINC_CLUSTER_OPTICAL);
    assert_near(port.time_s - link.time_s,
                8.0 * (double)cluster.elements * (1e-11 - 1e-9 / cluster.link_gbps), 1e-9);
}

/* 4 servers at 80 Gb/s without latencies, a MiB of codes and 16 exponents, of which a server sends 2
 * (K-1)/K: bits of all servers times 21.25 pJ, and 3 W while 1,048,600 bytes pass at 10 GB/s. */
static void energies_by_hand(void **state)
{
    /* 32 times 6,291,456, 6,291,456, 4,194,304, 1,572,888 and 1,048,600 bytes */
    static const double bits[] = {201326592, 201326592, 134217728, 50332416, 33555200};
    optinc_cluster cluster = optinc_cluster_default();

    (void)state;
    cluster.elements = 1048576;
    cluster.block_size = 65536;
    cluster.link_gbps = 80;
    cluster.latency_us = cluster.overhead_us = cluster.optical_latency_us = 0;
    cluster.optical_w = 3;
    for (unsigned i = 0; i < OPTINC_CLUSTER_COLLECTIVE_COUNT; i++) {
        optinc_cluster_time time = time_of(&cluster, (optinc_cluster_collective)i);

        assert_near(time.energy_j * 1e12, bits[i] * 21.25, 1e-14);
        if (i == OPTINC_CLUSTER_OPTICAL)
            assert_near(time.optical_energy_j * 1e12, 314580000, 1e-14);
        else
            assert_true(time.optical_energy_j == 0);
    }
    cluster.optical_w = 0;
    assert_true(time_of(&cluster, OPTINC_CLUSTER_OPTICAL).optical_energy_j == 0);
    cluster.transceiver_pj_bit = 0;
    assert_true(time_of(&cluster, OPTINC_CLUSTER_RING).energy_j == 0);
}

/* Level by level: as many switches as hold all that come from below. */
static void switches_of_trees(void **state)
{
    static const struct {
        uint64_t servers;
        uint32_t ports;
        uint64_t switches;
    } trees[] = {{1, 4, 0},        {2, 4, 1},   {4, 4, 1},   {5, 4, 2 + 1},
                 {16, 4, 4 + 1},   {17, 16, 3}, {64, 4, 21}, {65, 4, 17 + 5 + 2 + 1},
                 {100, 64, 2 + 1}, {9, 1, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        assert_int_equal(optinc_cluster_switches(trees[i].servers, trees[i].ports),
                         trees[i].switches);
    assert_int_equal(optinc_cluster_switches(UINT64_MAX, 0), 0);
}

static void one_server_needs_nothing(void **state)
{
    optinc_cluster cluster = optinc_cluster_default();

    (void)state;
    cluster.servers = 1;
    for (unsigned i = 0; i < OPTINC_CLUSTER_COLLECTIVE_COUNT; i++)
        assert_true(time_of(&cluster, (optinc_cluster_collective)i).time_s == 0.0);
}

static void times_do_not_fall_with_servers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OPTINC_CLUSTER_COLLECTIVE_COUNT; i++) {
        double last = 0.0;

        for (uint64_t servers = 2; servers <= 131072; servers *= 2) {
            optinc_cluster cluster = optinc_cluster_default();
            double now;

            cluster.servers = servers;
            now = time_of(&cluster, (optinc_cluster_collective)i).time_s;
            assert_true(now >= last);
            last = now;
        }
    }
}

static void steps_hide_what_overlaps(void **state)
{
    (void)state;
    assert_true(optinc_cluster_step_s(2.0, 1.0, 0.0) == 3.0);
    assert_true(optinc_cluster_step_s(2.0, 1.0, 0.25) == 2.5);
    assert_true(optinc_cluster_step_s(2.0, 1.0, 1.0) == 2.0);
}

static void refuse(optinc_cluster cluster, optinc_status expected)
{
    optinc_cluster_time time;

    assert_int_equal(optinc_cluster_time_of(&cluster, OPTINC_CLUSTER_RING, NULL, &time), expected);
}

static void bad_input(void **state)
{
    const optinc_cluster good = optinc_cluster_default();
    optinc_cluster bad;
    optinc_cluster_time time;

    (void)state;
#define REFUSE(field, value, status)                                                               \
    bad = good;                                                                                    \
    bad.field = value;                                                                             \
    refuse(bad, status)
    REFUSE(servers, 0, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(servers, UINT64_MAX, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(elements, UINT64_MAX, OPTINC_ERR_OVERFLOW);
    REFUSE(bits, 7, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(bits, 34, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(link_gbps, 0.0, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(link_gbps, NAN, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(link_gbps, INFINITY, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(latency_us, -1.0, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(block_size, 0, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(switch_radix, 1, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(optical_ports, 6, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(optical_gbps, -1.0, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(optical_w, -1.0, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(optical_w, NAN, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(transceiver_pj_bit, -1.0, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(alltoall, (optinc_cluster_alltoall)4, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(chunks, 0, OPTINC_ERR_INVALID_ARGUMENT);
    REFUSE(chunks, 65537, OPTINC_ERR_INVALID_ARGUMENT);
#undef REFUSE
    assert_int_equal(optinc_cluster_time_of(&good, (optinc_cluster_collective)77, NULL, &time),
                     OPTINC_ERR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_traffic_is_the_papers),
        cmocka_unit_test(gigabit_figures),
        cmocka_unit_test(latencies),
        cmocka_unit_test(halving_doubling_bytes),
        cmocka_unit_test(bruck_bytes),
        cmocka_unit_test(the_fastest_alltoall),
        cmocka_unit_test(chunks_pay_latencies),
        cmocka_unit_test(optical_port_rate),
        cmocka_unit_test(energies_by_hand),
        cmocka_unit_test(switches_of_trees),
        cmocka_unit_test(one_server_needs_nothing),
        cmocka_unit_test(times_do_not_fall_with_servers),
        cmocka_unit_test(steps_hide_what_overlaps),
        cmocka_unit_test(bad_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
