/* SPDX-License-Identifier: Apache-2.0 */
/* The float ring: K-1 steps of reduce-scatter, K-1 of allgather, over K equal segments.
 *
 * Transfers have one size on all ranks, so the count % K elements that are left over travel beside
 * the segments, one a segment, padded with zeros. */
#include "optinc/collective.h"

#include "base/memory.h"

#include <stdint.h>
#include <string.h>

enum { SLOT_SEGMENT, SLOT_REST };

typedef struct ring {
    const optinc_transport *transport;
    float *output;
    float *scratch;
    size_t segment; /* elements: floor(count / K) */
    size_t rest;    /* count % K */
} ring;

static float *rest_of(const ring *r, uint32_t segment)
{
    return r->output + r->transport->size * r->segment + segment;
}

/* Sends segment `out` to the right while segment `in` comes from the left, into `received` and
 * *received_rest. */
static optinc_status shift(const ring *r, uint32_t out, float *received, float *received_rest)
{
    const optinc_transport *t = r->transport;
    uint32_t right = (t->rank + 1) % t->size, left = (t->rank + t->size - 1) % t->size;
    float rest = out < r->rest ? *rest_of(r, out) : 0.0f;
    optinc_status status = OPTINC_OK;

    if (r->segment > 0)
        status = t->start_sendrecv(t->user, SLOT_SEGMENT, r->output + out * r->segment, right,
                                   received, left, r->segment * sizeof(float));
    if (status == OPTINC_OK && r->rest > 0)
        status =
            t->start_sendrecv(t->user, SLOT_REST, &rest, right, received_rest, left, sizeof(float));
    if (status == OPTINC_OK && r->segment > 0)
        status = t->wait(t->user, SLOT_SEGMENT);
    if (status == OPTINC_OK && r->rest > 0)
        status = t->wait(t->user, SLOT_REST);
    return status;
}

static optinc_status reduce_scatter(const ring *r)
{
    uint32_t size = r->transport->size, rank = r->transport->rank;

    for (uint32_t step = 0; step + 1 < size; step++) {
        uint32_t out = (rank + size - step) % size, in = (out + size - 1) % size;
        float *sum = r->output + in * r->segment;
        float rest = 0.0f;
        optinc_status status = shift(r, out, r->scratch, &rest);

        if (status != OPTINC_OK)
            return status;
        for (size_t i = 0; i < r->segment; i++)
            sum[i] += r->scratch[i];
        if (in < r->rest)
            *rest_of(r, in) += rest;
    }
    return OPTINC_OK;
}

static optinc_status allgather(const ring *r)
{
    uint32_t size = r->transport->size, rank = r->transport->rank;

    for (uint32_t step = 0; step + 1 < size; step++) {
        uint32_t out = (rank + 1 + size - step) % size, in = (out + size - 1) % size;
        float rest = 0.0f;
        optinc_status status = shift(r, out, r->output + in * r->segment, &rest);

        if (status != OPTINC_OK)
            return status;
        if (in < r->rest)
            *rest_of(r, in) = rest;
    }
    return OPTINC_OK;
}

/* The segment that this rank has summed up, before it is passed on. */
static void divide(const ring *r)
{
    uint32_t size = r->transport->size, own = (r->transport->rank + 1) % size;
    float *sum = r->output + own * r->segment;

    for (size_t i = 0; i < r->segment; i++)
        sum[i] /= (float)size;
    if (own < r->rest)
        *rest_of(r, own) /= (float)size;
}

optinc_status optinc_ring_allreduce(const optinc_transport *transport, const float *input,
                                    float *output, size_t count, optinc_op op, float *scratch)
{
    ring r = {.transport = transport, .output = output, .scratch = scratch};
    optinc_status status;
    size_t size;

    if (!transport || !transport->start_sendrecv || !transport->wait || transport->size < 1 ||
        transport->rank >= transport->size || (op != OPTINC_SUM && op != OPTINC_MEAN))
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (!oi_size_multiply(count, sizeof *output, &size))
        return OPTINC_ERR_OVERFLOW;
    if (count == 0)
        return OPTINC_OK;
    if (!input || !output || !scratch)
        return OPTINC_ERR_INVALID_ARGUMENT;
    r.segment = count / transport->size;
    r.rest = count % transport->size;
    if (output != input)
        memcpy(output, input, size);
    status = reduce_scatter(&r);
    if (status != OPTINC_OK)
        return status;
    if (op == OPTINC_MEAN)
        divide(&r);
    return allgather(&r);
}
