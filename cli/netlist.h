/* SPDX-License-Identifier: Apache-2.0 */
/* Netlists that other tools, or hands, give back: what is in them, and how far their matrix is from
 * that of a design's layer. */
#ifndef CLI_NETLIST_H
#define CLI_NETLIST_H

#include "cli.h"
#include "photonic.h"

typedef struct netlist_request {
    const char *path;
    const char *design_path; /* to compare with; NULL: none */
    uint32_t layer;          /* from 1 */
    uint32_t level;
    double tolerance;
    const optinc_photonic_options *options; /* how the design is built */
    bool json;
} netlist_request;

/* By the end of its name: .json, .yaml, .yml. */
bool netlist_named(const char *path);

/* Prints and returns the exit code: 1 if the matrices differ by more than the tolerance. */
int netlist_inspect(const netlist_request *request);

#endif
