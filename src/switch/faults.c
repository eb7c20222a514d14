/* SPDX-License-Identifier: Apache-2.0 */
/* Which ports a set of faults leaves. A failed switch puts out no light: residual code 0, the sum of
 * codes 0, as if all servers below it were dark. */
#include "optinc/faults.h"

#include "base/log.h"
#include "base/memory.h"

#include <string.h>

static optinc_status check_ports(const char *name, const uint32_t *ports, uint32_t count,
                                 uint32_t port_count, const optinc_log *log)
{
    if (count > 0 && !ports)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "faults: %s ports is NULL", name);
    for (uint32_t i = 0; i < count; i++)
        if (ports[i] >= port_count)
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "faults: found %s port %u, expected 0 to %u", name, ports[i],
                           port_count - 1);
    return OPTINC_OK;
}

/* Ports of the tree below one switch of a level. */
static uint32_t ports_below(const optinc_design *design, uint32_t level)
{
    uint32_t ports = 1;

    for (uint32_t i = 0; i <= level; i++)
        ports *= optinc_design_unit(design, i)->spec.ports;
    return ports;
}

static optinc_status check_places(const optinc_design *design, const optinc_faults *faults,
                                  const optinc_log *log)
{
    uint32_t level_count = optinc_design_level_count(design);

    if (faults->failed_count > 0 && !faults->failed)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "faults: failed switches is NULL");
    for (uint32_t i = 0; i < faults->failed_count; i++) {
        const optinc_place *place = &faults->failed[i];
        uint32_t switches;

        if (place->level >= level_count)
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "faults: found failed switch on level %u, expected 0 to %u",
                           place->level, level_count - 1);
        switches = optinc_design_ports(design) / ports_below(design, place->level);
        if (place->index >= switches)
            return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                           "faults: found failed switch %u of level %u, expected 0 to %u",
                           place->index, place->level, switches - 1);
    }
    return OPTINC_OK;
}

static optinc_status check(const optinc_design *design, uint32_t port_count,
                           const optinc_faults *faults, const optinc_log *log)
{
    uint32_t ports = optinc_design_ports(design);
    optinc_status status;

    if (port_count < 1 || port_count > ports)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT,
                       "faults: found %u servers, expected 1 to %u", port_count, ports);
    if ((int)faults->action < 0 || (int)faults->action > OPTINC_FAULT_RESCALE)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "faults: found action %d, expected 0 to 2",
                       (int)faults->action);
    status = check_ports("dark", faults->dark_ports, faults->dark_count, ports, log);
    if (!status)
        status = check_ports("left", faults->left_ports, faults->left_count, ports, log);
    return status ? status : check_places(design, faults, log);
}

static void mark(const optinc_design *design, uint32_t port_count, const optinc_faults *faults,
                 uint8_t *states)
{
    uint8_t dark = faults->action == OPTINC_FAULT_RESCALE ? OPTINC_PORT_IDLE : OPTINC_PORT_DARK;

    for (uint32_t port = 0; port < optinc_design_ports(design); port++)
        states[port] = port < port_count ? OPTINC_PORT_LIVE : OPTINC_PORT_IDLE;
    for (uint32_t i = 0; i < faults->left_count; i++)
        states[faults->left_ports[i]] = OPTINC_PORT_IDLE;
    for (uint32_t i = 0; i < faults->dark_count; i++)
        states[faults->dark_ports[i]] = dark;
    for (uint32_t i = 0; i < faults->failed_count; i++) {
        uint32_t below = ports_below(design, faults->failed[i].level);

        memset(states + (size_t)faults->failed[i].index * below, dark, below);
    }
}

static bool is_left(const optinc_faults *faults, uint32_t port)
{
    for (uint32_t i = 0; i < faults->left_count; i++)
        if (faults->left_ports[i] == port)
            return true;
    return false;
}

static optinc_fault_effect count(const optinc_design *design, uint32_t port_count,
                                 const optinc_faults *faults, const uint8_t *states)
{
    optinc_fault_effect effect = {.live = 0};

    for (uint32_t port = 0; port < optinc_design_ports(design); port++) {
        effect.live += states[port] == OPTINC_PORT_LIVE;
        effect.idle += states[port] == OPTINC_PORT_IDLE;
        effect.dark += states[port] == OPTINC_PORT_DARK;
        /* who left is known to have left, whatever became of the port */
        effect.servers += port < port_count && states[port] != OPTINC_PORT_IDLE &&
                          !(states[port] == OPTINC_PORT_DARK && is_left(faults, port));
    }
    for (uint32_t i = 0; i < faults->failed_count; i++)
        effect.is_lost |= faults->failed[i].level + 1 == optinc_design_level_count(design);
    return effect;
}

optinc_status optinc_faults_resolve(const optinc_design *design, uint32_t port_count,
                                    const optinc_faults *faults, const optinc_log *log,
                                    uint8_t *states, optinc_fault_effect *effect)
{
    const optinc_faults none = {.dark_count = 0};
    optinc_fault_effect counted;
    uint8_t *own;
    optinc_status status;

    if (!design)
        return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "faults: design is NULL");
    if (!faults)
        faults = &none;
    status = check(design, port_count, faults, log);
    if (status)
        return status;
    own = oi_allocate(optinc_design_ports(design), sizeof *own);
    if (!own)
        return oi_fail(log, OPTINC_ERR_OUT_OF_MEMORY, "faults: no memory");
    mark(design, port_count, faults, own);
    counted = count(design, port_count, faults, own);
    if (faults->action == OPTINC_FAULT_RESCALE && (counted.servers == 0 || counted.is_lost))
        status = oi_fail(log, OPTINC_ERR_DARK, "faults: no server is left to average over");
    else if (counted.servers == 0)
        status = oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "faults: all servers have left");
    if (!status && states)
        memcpy(states, own, optinc_design_ports(design));
    if (!status && effect)
        *effect = counted;
    oi_free(own);
    return status;
}

uint64_t optinc_faults_total(const optinc_design *design, const optinc_fault_effect *effect,
                             uint64_t live_total)
{
    return live_total + effect->idle * optinc_design_unit(design, 0)->spec.zero_code;
}

double optinc_faults_bias_max(const optinc_design *design, const optinc_fault_effect *effect)
{
    double code_max = (double)((UINT64_C(1) << optinc_design_bits(design)) - 1);

    return effect->dark * code_max / effect->servers;
}
