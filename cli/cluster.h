/* SPDX-License-Identifier: Apache-2.0 */
/* What `optinc scale` draws and `optinc report` shows: the model's settings, and simulated
 * all-reduces beside it. The functions print what is wrong and return false. */
#ifndef CLI_CLUSTER_H
#define CLI_CLUSTER_H

#include "cli.h"
#include "optinc/cluster.h"

/* One simulated all-reduce that has a row in the model. */
typedef struct cluster_point {
    optinc_cluster_collective collective;
    bool full_bisection; /* a network that the model's curves are for */
    uint64_t servers;
    uint64_t elements;
    double time_s;
} cluster_point;

typedef struct cluster_study {
    optinc_cluster cluster; /* of the model; servers and elements: what the other axis keeps */
    uint64_t servers_min, servers_max; /* of the picture against servers */
    cluster_point *points;             /* [point_count] */
    size_t point_count;
} cluster_study;

/* The CSV of adapters/simgrid/simulate; rows without a collective of the model are left out. */
bool cluster_points_load(cluster_study *study, const char *path);
/* Settings and points into an object, and out of the file that holds it. */
void cluster_study_json(const cluster_study *study, json_t *object);
bool cluster_study_load(cluster_study *study, const char *path);
/* Safe on a zeroed struct and twice. */
void cluster_study_free(cluster_study *study);

typedef enum cluster_axis { CLUSTER_SERVERS, CLUSTER_SIZE } cluster_axis;

/* A picture: time per all-reduce against servers or message size. `page`: inline, else a file of its
 * own. */
bool cluster_plot(const cluster_study *study, cluster_axis axis, bool page, FILE *out);

/* "262,144 elements (1 MiB), 100 Gb/s links, ..." into text [size] */
void cluster_conditions(const cluster_study *study, cluster_axis axis, char *text, size_t size);

#endif
