/* SPDX-License-Identifier: Apache-2.0 */
/* The page of `optinc report`, a file a part. The functions return false after printing what is
 * wrong; whether the page could be written is found when it is committed. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli.h"
#include "cluster.h"
#include "describe.h"
#include "optinc/optics.h"
#include "runlog.h"

#define REPORT_RUNS_MAX 16u
/* Designs with more MZIs are drawn in outline. */
#define REPORT_MZIS_DRAWN_MAX 5000u

#define REPORT_CHOICES_MAX 64u

/* A choice of segmented layers, of the table of `optinc segments`. */
typedef struct report_choice {
    char segments[128];
    uint64_t mzis;
    uint64_t mzis_svd;
    uint64_t cases;
    uint64_t wrong;
    double margin;
} report_choice;

typedef struct report {
    const char *title; /* NULL: made from the runs */
    runlog *runs;      /* [run_count] */
    size_t run_count;
    report_choice choices[REPORT_CHOICES_MAX];
    size_t choice_count;
    const char *choices_path; /* of the table */
    const runlog *ring;       /* the first ring run, what others are compared with; or NULL */
    optinc_design *design;    /* NULL: none */
    const char *design_path;  /* of the design */
    optinc_design_cost cost;
    optinc_cost_options cost_options;
    optinc_photonic_options hardware; /* how the circuits are built */
    bool eyes;                        /* the command line told components or faults */
    const cluster_study *cluster;     /* NULL: none */
    const char *cluster_path;
} report;

/* Colour of a run in all pictures, "#rrggbb". */
const char *report_colour(const report *r, const runlog *run);
/* Mean bytes a step and server over the ring's, or NAN. */
double report_traffic_share(const report *r, const runlog *run);
/* Last validation loss minus the ring's, or NAN. */
double report_loss_difference(const report *r, const runlog *run);
/* Largest error_max / error_bound of any step, or NAN. */
double report_error_share(const runlog *run);

void report_head(FILE *page, const report *r);
void report_summary(FILE *page, const report *r);
bool report_losses(FILE *page, const report *r);
void report_traffic(FILE *page, const report *r);
bool report_errors(FILE *page, const report *r);
bool report_design(FILE *page, const report *r);
bool report_cluster(FILE *page, const report *r);
/* The rows of a table, added to the report. */
bool report_segments_load(report *r, const char *path);
bool report_segments(FILE *page, const report *r);
void report_foot(FILE *page, const report *r);

#endif
