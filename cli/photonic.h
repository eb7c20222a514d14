/* SPDX-License-Identifier: Apache-2.0 */
/* The options by which simulate, export, inspect, reduce and report describe the hardware. */
#ifndef CLI_PHOTONIC_H
#define CLI_PHOTONIC_H

#include "optinc/optics.h"
#include "options.h"

#define CLI_PHOTONIC_VALUES 13
#define CLI_PHOTONIC_OPTIONS (CLI_PHOTONIC_VALUES + 9)

/* A value of the device: its name in the file and its range. */
typedef struct cli_device_field {
    const char *name;
    double low;
    double high;
} cli_device_field;

#define CLI_DEVICE_FIELDS (sizeof(optinc_device) / sizeof(double))
extern const cli_device_field cli_device_fields[CLI_DEVICE_FIELDS];

typedef struct cli_photonic {
    const char *device_path;
    double values[CLI_PHOTONIC_VALUES]; /* NaN: as the device file says */
    double drift_time_s;
    int calibrate; /* index into none, local, self */
    bool search;
    bool dummies;
    int bias;    /* index into optical, electronic */
    int mapping; /* index into design, direct */
    int layout;
    int form;
} cli_photonic;

/* Sets the defaults and writes the options, CLI_PHOTONIC_OPTIONS at most; returns how many. */
int cli_photonic_options(cli_photonic *request, cli_option *options);

/* Of these those by which a circuit's power is known but for single values: the device file, the
 * mapping, the bias. CLI_PHOTONIC_BUILD_OPTIONS of them. */
#define CLI_PHOTONIC_BUILD_OPTIONS 3
int cli_photonic_build_options(cli_photonic *request, cli_option *options);

/* A device file or a value was given. */
bool cli_photonic_told(const cli_photonic *request);

/* Reads the device file and sets what the options say. False, with a message, if that fails. */
bool cli_photonic_resolve(const cli_photonic *request, optinc_photonic_options *options);

#endif
