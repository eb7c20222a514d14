/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the device that --sweep and --tolerance change, by their names in its file. */
#ifndef CLI_SWEEP_H
#define CLI_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "optinc/optics.h"

typedef struct sweep_range {
    char name[64];
    double first;
    double last;
    uint64_t steps; /* 0: none */
} sweep_range;

/* NAME=FIRST:LAST:STEPS, the value of --sweep; false with a message. */
bool sweep_read(const char *text, sweep_range *sweep);
double sweep_value(const sweep_range *sweep, uint64_t step);

/* False, with a message, unless every step is a value that the device, or drift_time_s, the time since
 * calibration, can have: known before anything is simulated and printed. */
bool sweep_check(const sweep_range *sweep);

/* Sets what sweep_check has passed. */
optinc_status sweep_set(const sweep_range *sweep, uint64_t step, optinc_photonic_options *options);

/* False, with a message, unless --tolerance can look for `name` from 0 up to value_max. */
bool sweep_check_tolerance(const char *name, double value_max);

#endif
