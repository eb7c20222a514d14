/* SPDX-License-Identifier: Apache-2.0 */
/* What a cascade loses if its lower switches round, too.
 *
 * A switch of P ports, with D servers below each, takes their averages r_i, each off by e_i = D r_i -
 * T_i from its servers' sum T_i. It returns r = (sum r_i + P/2 - m) / P, m = (sum r_i + P/2) mod P,
 * so its own error is
 *
 *     e = P D r - T = sum e_i + D (P/2 - m).
 *
 * Let all codes be uniform and 2^B a multiple of the servers. Adding D to a server's code adds 1 to
 * one r_i and leaves every e_i as it is, so given the e_i, m is uniform on 0 .. P-1. The errors of
 * different switches are then independent, and e is distributed as a sum of their terms. The flat
 * switch returns floor((T + N/2) / N) with T = N r - e, so the cascade is off from it by
 * ceil((e - N/2) / N). Nothing is sampled. */
#include "base/log.h"
#include "base/memory.h"
#include "optinc/synthesis.h"

#include <math.h>
#include <string.h>

#define SERVERS_MAX 4096u

/* probability [size] of the errors first .. first+size-1 */
typedef struct distribution {
    int64_t first;
    size_t size;
    double *probability;
} distribution;

/* a := a + b, independent; `space` holds at least a->size + b->size. */
static void add(distribution *a, const distribution *b, double *space)
{
    size_t size = a->size + b->size - 1;

    memset(space, 0, size * sizeof *space);
    for (size_t i = 0; i < a->size; i++)
        for (size_t j = 0; j < b->size; j++)
            space[i + j] += a->probability[i] * b->probability[j];
    memcpy(a->probability, space, size * sizeof *space);
    a->size = size;
    a->first += b->first;
}

/* a := a + D (P/2 - m), m uniform; the terms are D apart. */
static void round_once(distribution *a, uint32_t ports, uint32_t below, double *space)
{
    size_t size = a->size + (size_t)below * (ports - 1);

    memset(space, 0, size * sizeof *space);
    for (uint32_t m = 0; m < ports; m++)
        for (size_t i = 0; i < a->size; i++)
            space[(size_t)below * m + i] += a->probability[i] / ports;
    memcpy(a->probability, space, size * sizeof *space);
    a->size = size;
    a->first -= (int64_t)below * (ports / 2 - 1);
}

static void measure(const distribution *error, uint32_t servers, optinc_rounding_loss *loss)
{
    double n = servers, flat = 0;

    for (size_t i = 0; i < error->size; i++) {
        double p = error->probability[i];
        int64_t e = error->first + (int64_t)i;
        double off = ceil(((double)e - n / 2) / n);

        loss->wrong += off == 0 ? 0 : p;
        loss->mean += p * off;
        loss->bias += p * (double)e / n;
        loss->rms += p * (double)(e * e) / (n * n);
        if (p > 0) {
            loss->off_min = fmin(loss->off_min, off);
            loss->off_max = fmax(loss->off_max, off);
        }
    }
    /* the flat switch's errors, -N/2+1 .. N/2, each as likely */
    for (uint32_t i = 0; i < servers; i++)
        flat += pow((double)i - n / 2 + 1, 2) / n;
    loss->rms = sqrt(loss->rms);
    loss->bias_flat = 1 / (2 * n);
    loss->rms_flat = sqrt(flat) / n;
}

static optinc_status check(const optinc_cascade *cascade, const optinc_log *log, uint32_t *servers)
{
    optinc_spec specs[OPTINC_LEVELS_MAX];
    optinc_status status = optinc_cascade_specs(cascade, log, specs);

    if (status != OPTINC_OK)
        return status;
    if (cascade->variant != OPTINC_VARIANT_HALF_UP)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "only rounding half up loses in a known way");
    *servers = 1;
    for (uint32_t level = 0; level < cascade->level_count; level++)
        *servers *= cascade->ports[level];
    if (*servers > SERVERS_MAX || *servers > (uint64_t)1 << cascade->bits)
        return oi_fail(
            log, OPTINC_ERR_OVERFLOW,
            "%u servers of %u bits: what rounding loses is known for up to 2^bits and %u "
            "servers",
            *servers, cascade->bits, SERVERS_MAX);
    return OPTINC_OK;
}

optinc_status optinc_cascade_rounding_loss(const optinc_cascade *cascade, const optinc_log *log,
                                           optinc_rounding_loss *loss)
{
    uint32_t servers = 1, below = 1;
    distribution all = {.size = 1}, one = {.size = 1};
    double *space;
    size_t room;
    optinc_status status;

    if (!cascade || !loss)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "cascade or loss is NULL");
    *loss = (optinc_rounding_loss){.wrong = 0};
    status = check(cascade, log, &servers);
    if (status != OPTINC_OK)
        return status;
    room = (size_t)(cascade->level_count + 1) * servers; /* a level widens by less than N */
    all.probability = oi_allocate(room, sizeof(double));
    one.probability = oi_allocate(room, sizeof(double));
    space = oi_allocate(room, sizeof(double));
    if (!all.probability || !one.probability || !space) {
        status =
            oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "no memory for errors of %u servers", servers);
        goto out;
    }
    all.probability[0] = 1;
    for (uint32_t level = 0; level < cascade->level_count; level++) {
        uint32_t ports = cascade->ports[level];

        one.first = all.first;
        one.size = all.size;
        memcpy(one.probability, all.probability, all.size * sizeof(double));
        for (uint32_t port = 1; port < ports; port++)
            add(&all, &one, space);
        round_once(&all, ports, below, space);
        below *= ports;
    }
    measure(&all, servers, loss);
out:
    oi_free(space);
    oi_free(one.probability);
    oi_free(all.probability);
    return status;
}
