/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of a cluster: a server that leaves, a port that goes dark, a switch of the tree that fails
 * (docs/cascades.md). A port in good order always sends light: the codec makes the codes 1 ..
 * 2^B-1, and the code of an idle port is 2^(B-1). Code 0, every symbol dark, is what no light reads
 * as. */
#ifndef OPTINC_FAULTS_H
#define OPTINC_FAULTS_H

#include "optinc/design.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum optinc_fault_action {
    /* Nobody notices: code 0 enters the sum in place of every code that is lost, so the result is
     * off by that code over N. */
    OPTINC_FAULT_UNDETECTED = 0,
    /* A monitor at every input of every switch in use sees code 0 and the reduction ends with
     * OPTINC_ERR_DARK; it sees ports that are not listed, too. */
    OPTINC_FAULT_ERROR = 1,
    /* What is dark is known and the switches feed the idle code in its place: the result is that of
     * the servers that are left, and the mean divides by their number. */
    OPTINC_FAULT_RESCALE = 2
} optinc_fault_action;

/* Switch `index` of a level, 0 .. (switches of the level) - 1. */
typedef struct optinc_place {
    uint32_t level;
    uint32_t index;
} optinc_place;

/* Lists are borrowed for the call; a port or switch may be named more than once. */
typedef struct optinc_faults {
    const uint32_t *dark_ports; /* [dark_count] of the tree's ports, 0 .. N-1 */
    uint32_t dark_count;
    const uint32_t *left_ports; /* [left_count]: in good order, send the idle code */
    uint32_t left_count;
    const optinc_place *failed; /* [failed_count]: switches that put out no light */
    uint32_t failed_count;
    optinc_fault_action action;
} optinc_faults;

/* What becomes of a port. A dark port that has left is dark. */
typedef enum optinc_port_state {
    OPTINC_PORT_LIVE = 0, /* its server's codes are in the sum */
    OPTINC_PORT_IDLE = 1, /* the zero code is: never used, left, or dark and rescaled */
    OPTINC_PORT_DARK = 2  /* code 0 is */
} optinc_port_state;

typedef struct optinc_fault_effect {
    uint32_t live; /* ports of each state; their sum is N */
    uint32_t idle;
    uint32_t dark;
    uint32_t servers; /* K that the mean divides by: the servers 0 .. K-1 but for those known to be
                         gone (left; with OPTINC_FAULT_RESCALE dark as well) */
    bool is_lost;     /* the last switch failed: every result is code 0 */
} optinc_fault_effect;

/* states [N] for servers on ports 0 .. port_count-1, and what they come to. Either may be NULL.
 * faults NULL: none. A port or switch that the design does not have, an unknown action, port_count
 * outside 1 .. N: OPTINC_ERR_INVALID_ARGUMENT. With OPTINC_FAULT_RESCALE, no server left or the
 * last switch failed: OPTINC_ERR_DARK. No server counted otherwise: OPTINC_ERR_INVALID_ARGUMENT. */
OPTINC_API optinc_status optinc_faults_resolve(const optinc_design *design, uint32_t port_count,
                                               const optinc_faults *faults, const optinc_log *log,
                                               uint8_t *states,
                                               optinc_fault_effect *effect) OPTINC_WARN_UNUSED;

/* T of the whole tree: the live ports' codes summed, plus the zero code of every idle port. Dark
 * ones add nothing. optinc_reference_result makes the result of it. */
OPTINC_API uint64_t optinc_faults_total(const optinc_design *design,
                                        const optinc_fault_effect *effect, uint64_t live_total);

/* By how much dark ports can move the mean, in units of 2^e, beyond optinc_error_bound: each brings
 * 0 where its code, at most 2^B - 1, was due. 0 without dark ports. The sum: times
 * effect->servers. */
OPTINC_API double optinc_faults_bias_max(const optinc_design *design,
                                         const optinc_fault_effect *effect);

#ifdef __cplusplus
}
#endif
#endif
