/* SPDX-License-Identifier: Apache-2.0 */
/* One simulated all-reduce: its settings, its data and its oracle. */
#ifndef OPTINC_SIMGRID_JOB_H
#define OPTINC_SIMGRID_JOB_H

#include "optinc/optinc.h"

#include <mpi.h>

typedef struct job {
    const optinc_design *design;
    size_t count; /* elements */
    uint32_t block_size;
    MPI_Comm servers; /* the ranks that train; MPI_COMM_NULL on the rank that is the switch */
    int server_count;
    int server; /* this rank among them */
} job;

/* gradient [count] of one server: integers within +-(2^(B-1)-1), one of each block the largest, so
 * every block's scale is 2^0 and a code is the integer itself. B up to 24. */
void job_fill(const job *j, int server, float *gradient);

/* What every server must end with, sum [count]: the reference function on the integers' sum
 * (through a switch), or the integers' sum itself (float collectives). total [count] is scratch. */
void job_expect(const job *j, bool through_switch, int64_t *total, float *gradient, float *sum);

/* All-reduce through the switch as a host of the platform: world rank server_count is the switch,
 * the others send it their codes chunk by chunk and take the results. Collective over the world. */
optinc_status job_optical(const job *j, const float *gradient, float *sum, size_t chunk);

#endif
