/* SPDX-License-Identifier: Apache-2.0 */
#include "photonic.h"

#include <math.h>
#include <string.h>

#include "cli.h"

const cli_device_field cli_device_fields[CLI_DEVICE_FIELDS] = {
#define FIELD(name, low, high) {#name, low, high},
    OPTINC_DEVICE_LIST(FIELD)
#undef FIELD
};

static const struct {
    const char *option;
    const char *field; /* of the device */
    const char *unit;
    const char *help;
} values[CLI_PHOTONIC_VALUES] = {
    {"--phase-sigma", "phase_sigma_rad", "RAD", "spread of every phase; default --device's"},
    {"--splitter-sigma", "splitter_sigma_rad", "RAD",
     "spread of every coupler's angle, about its power ratio's error; default --device's"},
    {"--mzi-loss", "mzi_loss_db", "DB", "loss of an MZI; default --device's"},
    {"--mzi-loss-sigma", "mzi_loss_sigma_db", "DB", "spread of that loss; default --device's"},
    {"--dac-bits", "dac_bits", "BITS", "resolution of the phases; 0: exact; default --device's"},
    {"--crosstalk", "crosstalk", "SHARE", "of a phase that its neighbours get; default --device's"},
    {"--drift", "drift_rad_per_sqrt_s", "RAD",
     "drift of every phase in one second; grows with the square root of --drift-time; default "
     "--device's"},
    {"--extinction", "modulator_extinction_db", "DB",
     "of the modulators; 0: infinite; default --device's"},
    {"--receiver-noise", "receiver_noise_pa_per_sqrt_hz", "PA",
     "thermal noise of the receivers per square root of a hertz; default --device's"},
    {"--shot-noise", "receiver_shot_noise", "SHARE",
     "of the receivers' shot noise that is there; 1: all, 0: none; default --device's"},
    {"--rin", "laser_rin_db_per_hz", "DB",
     "relative-intensity noise per hertz; -300: none; default --device's"},
    {"--laser-power", "laser_power_mw", "MW", "launched into every modulator; default --device's"},
    {"--oscillator-power", "local_oscillator_power_mw", "MW",
     "of the local oscillator at every receiver; default --device's"},
};

static const char *const mappings[] = {"design", "direct", NULL};
static const char *const biases[] = {"optical", "electronic", NULL};
static const char *const layouts[] = {"rectangular", "triangular", NULL};
static const char *const calibrations[] = {"none", "local", "self", NULL};
static const char *const forms[] = {"physical", "symmetric", NULL};

/* A name of `values` is one of the device's. */
static const cli_device_field *find_field(const char *name)
{
    const cli_device_field *field = cli_device_fields;

    while (strcmp(field->name, name) != 0)
        field++;
    return field;
}

static void clear(cli_photonic *request)
{
    *request = (cli_photonic){0};
    for (int i = 0; i < CLI_PHOTONIC_VALUES; i++)
        request->values[i] = NAN;
}

static cli_option device_option(cli_photonic *request)
{
    return cli_text("--device", &request->device_path, "FILE",
                    "constants of the components (YAML); default ideal ones");
}

static cli_option mapping_option(cli_photonic *request)
{
    return cli_choice(
        "--mapping", &request->mapping, mappings,
        "as the design says, or every layer by fan-in and fan-out trees; default design");
}

static cli_option bias_option(cli_photonic *request)
{
    return cli_choice("--bias", &request->bias, biases,
                      "one more mode of light, or added at the receivers; default optical");
}

int cli_photonic_options(cli_photonic *request, cli_option *options)
{
    int count = 0;

    clear(request);
    options[count++] = device_option(request);
    for (int i = 0; i < CLI_PHOTONIC_VALUES; i++) {
        const cli_device_field *field = find_field(values[i].field);

        options[count++] = cli_number_from(values[i].option, &request->values[i], values[i].unit,
                                           field->low, field->high, values[i].help);
    }
    options[count++] = cli_number_from("--drift-time", &request->drift_time_s, "S", 0, 1e12,
                                       "since the phases were set; default 0");
    options[count++] = mapping_option(request);
    options[count++] = cli_choice("--mesh", &request->layout, layouts,
                                  "layout of the meshes; default rectangular");
    options[count++] =
        cli_choice("--cells", &request->form, forms, "form of the meshes' cells; default physical");
    options[count++] = cli_choice("--calibrate", &request->calibrate, calibrations,
                                  "phases for the chip as built: local, its errors being known; "
                                  "self, found by measuring its outputs; default none");
    options[count++] = cli_flag(
        "--search", &request->search,
        "tries the DAC codes beside these in the end, for small circuits; with --dac-bits");
    options[count++] = cli_flag("--dummies", &request->dummies,
                                "meshes with equal loss on all ways; direct circuits have none");
    options[count++] = bias_option(request);
    cli_group(options, count, "Components, faults and calibration of the chip");
    return count;
}

int cli_photonic_build_options(cli_photonic *request, cli_option *options)
{
    clear(request);
    options[0] = device_option(request);
    options[1] = mapping_option(request);
    options[2] = bias_option(request);
    return CLI_PHOTONIC_BUILD_OPTIONS;
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

    *options = optinc_photonic_defaults();
    options->drift_time_s = request->drift_time_s;
    options->correct_errors = request->calibrate == 1;
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
