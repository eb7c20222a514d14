/* SPDX-License-Identifier: Apache-2.0 */
#include "photonic.h"

#include <math.h>

#include "cli.h"

/* Strictly above this: zero is allowed, nothing below it. */
#define BELOW_ZERO (-1e-300)

static const struct {
    const char *option;
    const char *field; /* of the device */
    const char *unit;
    double low;
    double high;
    const char *help;
} values[CLI_PHOTONIC_VALUES] = {
    {"--phase-sigma", "phase_sigma_rad", "RAD", BELOW_ZERO, 10, "spread of every phase"},
    {"--splitter-sigma", "splitter_sigma_rad", "RAD", BELOW_ZERO, 1,
     "spread of every coupler's angle, about its power ratio's error"},
    {"--mzi-loss", "mzi_loss_db", "DB", BELOW_ZERO, 30, "loss of an MZI"},
    {"--mzi-loss-sigma", "mzi_loss_sigma_db", "DB", BELOW_ZERO, 10, "spread of that loss"},
    {"--dac-bits", "dac_bits", "BITS", BELOW_ZERO, 25, "resolution of the phases; 0: exact"},
    {"--crosstalk", "crosstalk", "SHARE", BELOW_ZERO, 1, "of a phase that its neighbours get"},
    {"--drift", "drift_rad_per_sqrt_s", "RAD", BELOW_ZERO, 10,
     "drift of every phase in one second; grows with the square root of --drift-time"},
    {"--extinction", "modulator_extinction_db", "DB", BELOW_ZERO, 200,
     "of the modulators; 0: infinite"},
    {"--receiver-noise", "receiver_noise_pa_per_sqrt_hz", "PA", BELOW_ZERO, 1e6,
     "thermal noise of the receivers per square root of a hertz"},
    {"--shot-noise", "receiver_shot_noise", "SHARE", BELOW_ZERO, 1.0000001, "1: on, 0: off"},
    {"--rin", "laser_rin_db_per_hz", "DB", -300.0000001, 0,
     "relative-intensity noise per hertz; -300: none"},
    {"--laser-power", "laser_power_mw", "MW", 0, 1e5, "launched into every modulator"},
    {"--oscillator-power", "local_oscillator_power_mw", "MW", 0, 1e5,
     "of the local oscillator at every receiver"},
};

static const char *const mappings[] = {"design", "direct", NULL};
static const char *const biases[] = {"optical", "electronic", NULL};
static const char *const layouts[] = {"rectangular", "triangular", NULL};
static const char *const calibrations[] = {"none", "local", "self", NULL};
static const char *const forms[] = {"physical", "symmetric", NULL};

int cli_photonic_options(cli_photonic *request, cli_option *options)
{
    int count = 0;

    *request = (cli_photonic){0};
    options[count++] = cli_text("--device", &request->device_path, "FILE",
                                "constants of the components (YAML); default: ideal ones");
    for (int i = 0; i < CLI_PHOTONIC_VALUES; i++) {
        request->values[i] = NAN;
        options[count++] = cli_number(values[i].option, &request->values[i], values[i].unit,
                                      values[i].low, values[i].high, values[i].help);
    }
    options[count++] = cli_number("--drift-time", &request->drift_time_s, "S", BELOW_ZERO, 1e12,
                                  "since the phases were set; default 0");
    options[count++] = cli_choice("--mapping", &request->mapping, mappings,
                                  "as the design says, or every layer by fan-in and fan-out trees");
    options[count++] = cli_choice("--mesh", &request->layout, layouts, "layout of the meshes");
    options[count++] = cli_choice("--cells", &request->form, forms, "cells of the meshes");
    options[count++] = cli_choice("--calibrate", &request->calibrate, calibrations,
                                  "phases for the chip as built: local, its errors being known; "
                                  "self, found by measuring its outputs");
    options[count++] = cli_flag("--correct", &request->correct, "the same as --calibrate local");
    options[count++] = cli_flag("--search", &request->search,
                                "then the DAC codes beside these are tried, for small circuits");
    options[count++] = cli_flag("--dummies", &request->dummies,
                                "meshes with equal loss on all ways; direct circuits have none");
    options[count++] = cli_choice("--bias", &request->bias, biases,
                                  "one more mode of light, or added at the receivers");
    return count;
}

bool cli_photonic_told(const cli_photonic *request)
{
    bool told = request->device_path != NULL;

    for (int i = 0; i < CLI_PHOTONIC_VALUES; i++)
        told |= !isnan(request->values[i]);
    return told;
}

bool cli_photonic_resolve(const cli_photonic *request, optinc_photonic_options *options)
{
    optinc_status status = OPTINC_OK;

    if (request->correct && request->calibrate == 2) {
        cli_error("--correct: found beside --calibrate self, expected one of them");
        return false;
    }
    *options = optinc_photonic_defaults();
    options->drift_time_s = request->drift_time_s;
    options->correct_errors = request->correct || request->calibrate == 1;
    options->self_configure = request->calibrate == 2;
    options->search_steps = request->search;
    options->dummies = request->dummies;
    options->bias_electronic = request->bias == 1;
    options->direct = request->mapping == 1;
    options->layout = (optinc_mesh_layout)request->layout;
    options->form = request->form ? OPTINC_CELL_SYMMETRIC : OPTINC_CELL_PHYSICAL;
    if (request->device_path)
        status = optinc_device_load(request->device_path, &cli_log, &options->device);
    for (int i = 0; i < CLI_PHOTONIC_VALUES && !status; i++)
        if (!isnan(request->values[i]))
            status =
                optinc_device_set(&options->device, values[i].field, request->values[i], &cli_log);
    if (!status)
        status = optinc_device_check(&options->device, &cli_log);
    if (status)
        cli_library_error(status, request->device_path ? request->device_path : "device");
    return status == OPTINC_OK;
}
