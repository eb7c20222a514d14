/* SPDX-License-Identifier: Apache-2.0 */
/* The energy of an all-reduce as `optinc scale` counts it: the servers' transceivers, and the optical
 * switches where their power is told or known from a design's budget. docs/cluster.md has the rules. */
#ifndef CLI_ENERGY_H
#define CLI_ENERGY_H

#include <jansson.h>

#include "optinc/cluster.h"
#include "photonic.h"

#define ENERGY_OPTIONS (CLI_PHOTONIC_BUILD_OPTIONS + 3)

typedef struct scale_energy {
    cli_photonic hardware;
    const char *design_path;
    double switch_w;       /* of one optical switch; NaN: not told */
    double transceiver_pj; /* a bit; NaN: the device file's, or the model's own */
    bool wanted;           /* set: one of the options was given */
    uint32_t ports;        /* set, of the design: servers that its tree serves */
    double plane_w;        /* set: power of its tree at one symbol rate */
    uint64_t planes;       /* set: of these, side by side, for the rate of a port */
    bool feasible;         /* set: the design with these components */
} scale_energy;

/* Sets the defaults and writes ENERGY_OPTIONS options; returns how many. */
int energy_options(scale_energy *energy, cli_option *options);

/* Reads the device and the design, and sets the transceivers' energy of the cluster. False, with a
 * message, if that fails or the design is not the cluster's. */
bool energy_resolve(scale_energy *energy, optinc_cluster *cluster);

/* Power of all optical switches that serve the cluster's servers; NaN: unknown. */
double energy_optical_w(const scale_energy *energy, const optinc_cluster *cluster);

/* A row's keys; ring: of as many servers. optical_w: NaN where it is unknown. */
void energy_json(json_t *row, const optinc_cluster_time *time, const optinc_cluster_time *ring,
                 double optical_w);
/* Of the whole: what the energies are made of. */
json_t *energy_json_settings(const scale_energy *energy, const optinc_cluster *cluster);

/* The same as columns, their heads, and what stands below the table. */
void energy_print_head(void);
void energy_print(const optinc_cluster_time *time, const optinc_cluster_time *ring,
                  double optical_w);
void energy_print_foot(const scale_energy *energy, const optinc_cluster *cluster,
                       uint64_t servers_max);

#endif
