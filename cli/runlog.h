/* SPDX-License-Identifier: Apache-2.0 */
/* A training run's log, as docs/run-log.md defines it. */
#ifndef CLI_RUNLOG_H
#define CLI_RUNLOG_H

#include "cli.h"

/* One step; NAN where the log has no value. */
typedef struct runlog_step {
    double loss;
    double valid_loss;
    double seconds;
    double bytes_sent;
    double error_max;
    double error_bound;
} runlog_step;

/* All texts are the log's own: never NULL, "" where absent, to be escaped by whoever prints them. */
typedef struct runlog {
    json_t *header;   /* the first line; the texts below borrow from it */
    json_t *end;      /* the last line, NULL while the run goes on */
    char *path;       /* of the log file */
    const char *name; /* label */
    const char *workload;
    const char *collective; /* "ring" or "optinc" */
    const char *bytes_source;
    const char *design; /* path as the run was given it */
    const char *design_checksum;
    const char *backend;
    const char *rounding;
    const char *outcome; /* "running" without an end line */
    uint64_t seed;
    uint64_t steps; /* planned */
    uint64_t workers;
    uint64_t parameters;
    uint64_t gradient_bytes;
    uint64_t ports;
    uint64_t bits;
    uint64_t block_size;
    bool error_feedback;
    size_t step_count;
    runlog_step *step; /* step[i] is step number i + 1 */
} runlog;

/* `path`: the log or its folder. False with a message naming file, line and field. */
bool runlog_load(const char *path, runlog *log);
/* Safe on a zeroed struct and twice. */
void runlog_free(runlog *log);

bool runlog_is_optinc(const runlog *log);

/* The last value that is not NAN, or NAN; `offset` of a double in runlog_step. */
double runlog_last(const runlog *log, size_t offset);
/* Mean over the steps that have a value, or NAN. */
double runlog_mean(const runlog *log, size_t offset);
/* Largest, or NAN. */
double runlog_max(const runlog *log, size_t offset);

#endif
