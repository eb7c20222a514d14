/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that wait for the next round of tasks asleep.
 *
 * A training step takes a millisecond or less, and its threads meet twice in it. OpenMP's threads
 * spin while they wait, for milliseconds in GCC's library; where other work holds one of the cores,
 * most of all processor time goes that way. These spin for a tenth of one, then they sleep. */
#ifndef OI_ONN_CREW_H
#define OI_ONN_CREW_H

#include "optinc/base.h"

typedef struct oi_crew oi_crew;

/* Task `index` of a round, on thread `worker`, below the crew's thread_count. */
typedef void (*oi_crew_task)(void *user, uint32_t index, uint32_t worker);

/* thread_count - 1 threads beside the caller, without signals; OPTINC_ERR_INVALID_ARGUMENT for none
 * or more than OPTINC_THREADS_MAX, OPTINC_ERR_OUT_OF_MEMORY where the system has no more threads. */
optinc_status oi_crew_create(uint32_t thread_count, const optinc_log *log,
                             oi_crew **crew) OPTINC_WARN_UNUSED;

/* Runs tasks 0 .. task_count - 1, each once, on whichever thread is free, and returns when all are
 * done; what they wrote is then seen by the caller. One round at a time. */
void oi_crew_run(oi_crew *crew, uint32_t task_count, oi_crew_task task, void *user);

void oi_crew_free(oi_crew *crew); /* NULL: nothing */

#endif
