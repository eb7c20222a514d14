/* SPDX-License-Identifier: Apache-2.0 */
#include "collective/state.h"

#include <time.h>

static optinc_status started(optinc_collective *collective, uint32_t slot, optinc_status status)
{
    collective->in_flight |= 1u << slot;
    if (status != OPTINC_OK)
        collective->broken = status;
    return status;
}

optinc_status oi_start_max(optinc_collective *collective, uint32_t slot, uint8_t *data, size_t size)
{
    const optinc_transport *transport = &collective->transport;

    return started(collective, slot, transport->start_max(transport->user, slot, data, size));
}

optinc_status oi_start_alltoall(optinc_collective *collective, uint32_t slot, const void *send,
                                void *receive, size_t size)
{
    const optinc_transport *transport = &collective->transport;

    return started(collective, slot,
                   transport->start_alltoall(transport->user, slot, send, receive, size));
}

optinc_status oi_start_allgather(optinc_collective *collective, uint32_t slot, const void *send,
                                 void *receive, size_t size)
{
    const optinc_transport *transport = &collective->transport;

    return started(collective, slot,
                   transport->start_allgather(transport->user, slot, send, receive, size));
}

optinc_status oi_wait(optinc_collective *collective, uint32_t slot)
{
    const optinc_transport *transport = &collective->transport;
    optinc_status status = transport->wait(transport->user, slot);

    if (status == OPTINC_OK)
        collective->in_flight &= ~(1u << slot);
    else
        collective->broken = status;
    return status;
}

void oi_progress(const optinc_collective *collective)
{
    if (collective->transport.progress)
        collective->transport.progress(collective->transport.user);
}

double oi_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
