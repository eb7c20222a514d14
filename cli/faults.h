/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the cluster on the command line, shared by the subcommands that run or prove a design. */
#ifndef CLI_FAULTS_H
#define CLI_FAULTS_H

#include <jansson.h>

#include "optinc/faults.h"
#include "options.h"

#define CLI_FAULTS_MAX 1024

typedef struct cli_faults {
    const char *dark; /* as typed; NULL: none */
    const char *left;
    const char *failed;
    int action; /* index into undetected, error, rescale, the library's order */
    /* made by cli_faults_resolve */
    uint32_t dark_ports[CLI_FAULTS_MAX];
    uint32_t left_ports[CLI_FAULTS_MAX];
    optinc_place failed_switches[CLI_FAULTS_MAX];
    optinc_faults faults; /* points into this struct */
    bool any;
    uint8_t *states; /* [ports of the design], to be freed */
    optinc_fault_effect effect;
} cli_faults;

/* The options that name a fault. */
#define CLI_FAULTS_NEEDED "--dark-ports|--left-ports|--failed-switches"
#define CLI_FAULTS_OPTIONS 4

/* The command line's options, CLI_FAULTS_OPTIONS of them, which set `faults`; the action is rescale
 * unless it is chosen. */
void cli_faults_describe(cli_faults *faults, cli_option *options);
/* Reads the lists and applies them to a design with servers on ports 0 .. port_count-1; prints what is
 * wrong and returns false. */
bool cli_faults_resolve(cli_faults *faults, const optinc_design *design, uint32_t port_count);
void cli_faults_free(cli_faults *faults);

/* What they come to: lines on stdout (each begins with a name padded to `width`), or keys of an
 * object. Nothing without faults. */
void cli_faults_print(const cli_faults *faults, const optinc_design *design, int width);
void cli_faults_json(const cli_faults *faults, const optinc_design *design, json_t *object);

#endif
