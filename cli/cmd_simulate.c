/* SPDX-License-Identifier: Apache-2.0 */
/* optinc simulate: Monte Carlo over chips and codes at the level of fields. */
#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "describe.h"
#include "eye.h"
#include "photonic.h"
#include "sweep.h"

#define CODES_MAX (UINT64_C(1) << 48) /* of optinc_simulate */

typedef struct simulate_request {
    cli_photonic hardware;
    optinc_simulate_options options;
    uint64_t level;
    uint64_t threads;
    const char *sweep_text;
    sweep_range sweep; /* steps 0: none */
    const char *tolerance;
    double tolerance_max;
    double yield;
    const char *eye_path;
    const char *path;
    bool per_layer;
    bool json;
} simulate_request;

static json_t *json_counts(const uint64_t *counts, uint32_t count)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, cli_json_count(counts[i]));
    return list;
}

/* The digit that is wrong most often; digit_count if none is. */
static uint32_t worst_digit(const optinc_simulate_result *result, uint32_t digit_count)
{
    uint32_t worst = digit_count;
    uint64_t most = 0;

    for (uint32_t j = 0; j < digit_count; j++)
        if (result->digit_errors[j] > most) {
            most = result->digit_errors[j];
            worst = j;
        }
    return worst;
}

static json_t *json_result(const simulate_request *request, const optinc_design *design,
                           const optinc_simulate_result *result)
{
    const optinc_spec *spec = &optinc_design_unit(design, request->options.level)->spec;
    json_t *object = json_object(), *interval = json_array();
    uint32_t sizes = OPTINC_ERROR_SIZES;

    while (sizes > 1 && result->error_sizes[sizes - 1] == 0)
        sizes--;
    json_array_append_new(interval, cli_json_number(result->ci95_low));
    json_array_append_new(interval, cli_json_number(result->ci95_high));
    cli_json_set(object, "trials", cli_json_count(result->trials));
    cli_json_set(object, "codes", cli_json_count(result->codes));
    cli_json_set(object, "symbols", cli_json_count(result->symbols));
    cli_json_set(object, "symbol_errors", cli_json_count(result->symbol_errors));
    cli_json_set(object, "code_errors", cli_json_count(result->code_errors));
    cli_json_set(object, "symbol_error_rate", cli_json_number(result->symbol_error_rate));
    cli_json_set(object, "code_error_rate", cli_json_number(result->code_error_rate));
    cli_json_set(object, "ci95", interval);
    cli_json_set(object, "digit_errors",
                 json_counts(result->digit_errors, optinc_spec_digits_out(spec)));
    cli_json_set(object, "worst_digit",
                 result->symbol_errors
                     ? json_integer(worst_digit(result, optinc_spec_digits_out(spec)))
                     : json_null());
    cli_json_set(object, "error_sizes", json_counts(result->error_sizes, sizes));
    cli_json_set(object, "yield", cli_json_number(result->yield));
    cli_json_set(object, "target", cli_json_number(request->options.target_error_rate));
    cli_json_set(object, "worst_chip", cli_json_number(result->worst_trial_rate));
    cli_json_set(object, "seconds", cli_json_number(result->seconds));
    return object;
}

static void print_result(const simulate_request *request, const optinc_design *design,
                         const optinc_simulate_result *result)
{
    const optinc_spec *spec = &optinc_design_unit(design, request->options.level)->spec;
    char trials[CLI_COUNT_TEXT_SIZE], codes[CLI_COUNT_TEXT_SIZE];

    printf("design         %s\nchips          %s, %s codes in all\n", request->path,
           cli_count_text(result->trials, trials), cli_count_text(result->codes, codes));
    printf("code errors    %.4g (95 %%: %.4g to %.4g)\n", result->code_error_rate, result->ci95_low,
           result->ci95_high);
    printf("symbol errors  %.4g\n", result->symbol_error_rate);
    printf("by digit      ");
    for (uint32_t j = 0; j < optinc_spec_digits_out(spec); j++)
        printf(" %.3g", (double)result->digit_errors[j] / (double)result->codes);
    printf(" (least significant first)\n");
    if (result->symbol_errors)
        printf("fails first    digit %u\n", worst_digit(result, optinc_spec_digits_out(spec)));
    printf("off by        ");
    for (uint32_t k = 1; k < OPTINC_ERROR_SIZES; k++)
        if (result->error_sizes[k])
            printf(" %llu..%llu: %.3g", 1ull << (k - 1), (1ull << k) - 1,
                   (double)result->error_sizes[k] / (double)result->codes);
    printf("%s\n", result->code_errors ? "" : " nothing");
    printf("yield          %.4g of the chips have at most %.3g wrong codes; the worst has %.3g\n",
           result->yield, request->options.target_error_rate, result->worst_trial_rate);
    printf("speed          %.3g codes/s\n", (double)result->codes / result->seconds);
}

static optinc_status simulate_once(const optinc_design *design,
                                   const optinc_simulate_options *options,
                                   optinc_simulate_result *result)
{
    optinc_status status;

    cli_progress_start("simulate");
    status = optinc_simulate(design, options, &cli_progress, &cli_log, result);
    cli_progress_stop();
    return status;
}

/* Faults in one layer at a time: which fails first. */
static optinc_status simulate_layers(const simulate_request *request, const optinc_design *design,
                                     json_t *list, uint32_t *worst)
{
    optinc_simulate_options options = request->options;
    uint32_t count = optinc_design_unit(design, options.level)->layer_count;
    optinc_status status = OPTINC_OK;
    uint64_t most = 0;

    *worst = 0;
    for (uint32_t l = 1; l <= count && !status; l++) {
        optinc_simulate_result result;
        json_t *row;

        options.photonic.fault_layer = l;
        status = simulate_once(design, &options, &result);
        if (status)
            break;
        if (!request->json)
            printf("layer %-3u      code errors %.4g with faults in it alone\n", l,
                   result.code_error_rate);
        if (result.code_errors > most) {
            most = result.code_errors;
            *worst = l;
        }
        row = json_object();
        cli_json_set(row, "layer", cli_json_count(l));
        cli_json_set(row, "symbol_error_rate", cli_json_number(result.symbol_error_rate));
        cli_json_set(row, "code_error_rate", cli_json_number(result.code_error_rate));
        json_array_append_new(list, row);
    }
    if (!status && *worst && !request->json)
        printf("fails first    layer %u\n", *worst);
    return status;
}

static optinc_status simulate_sweep(const simulate_request *request, const optinc_design *design,
                                    json_t *list)
{
    optinc_simulate_options options = request->options;
    const sweep_range *sweep = &request->sweep;
    optinc_status status = OPTINC_OK;

    for (uint64_t i = 0; i < sweep->steps && !status; i++) {
        double value = sweep_value(sweep, i);
        optinc_simulate_result result;
        json_t *row;

        status = sweep_set(sweep, i, &options.photonic);
        if (!status)
            status = simulate_once(design, &options, &result);
        if (status)
            break;
        if (!request->json)
            printf("%s %-10.4g code errors %.4g (95 %%: %.4g to %.4g), yield %.4g\n", sweep->name,
                   value, result.code_error_rate, result.ci95_low, result.ci95_high, result.yield);
        row = json_result(request, design, &result);
        cli_json_set(row, sweep->name, cli_json_number(value));
        json_array_append_new(list, row);
    }
    return status;
}

/* The same chips as they come from the factory. */
static optinc_status simulate_before(const simulate_request *request, const optinc_design *design,
                                     json_t *object)
{
    optinc_simulate_options options = request->options;
    optinc_simulate_result result;
    optinc_status status;

    options.photonic.correct_errors = options.photonic.self_configure = false;
    options.photonic.search_steps = false;
    status = simulate_once(design, &options, &result);
    if (status)
        return status;
    if (!request->json)
        printf("uncalibrated   code errors %.4g (95 %%: %.4g to %.4g), yield %.4g\n",
               result.code_error_rate, result.ci95_low, result.ci95_high, result.yield);
    cli_json_set(object, "before", json_result(request, design, &result));
    return OPTINC_OK;
}

static optinc_status find_tolerance(const simulate_request *request, const optinc_design *design,
                                    double *value)
{
    optinc_status status;

    cli_progress_start("tolerance");
    status = optinc_tolerance(design, &request->options, request->tolerance, request->tolerance_max,
                              request->yield, &cli_progress, &cli_log, value);
    cli_progress_stop();
    return status;
}

/* The receivers' eyes on the first of the chips, and their picture. */
static optinc_status draw_eyes(const simulate_request *request, const optinc_design *design,
                               optinc_eye **eye)
{
    const optinc_eye_options options = {.photonic = request->options.photonic,
                                        .level = request->options.level,
                                        .seed = request->options.seed};
    optinc_status status = optinc_eye_create(design, &options, &cli_log, eye);
    cli_output output;

    if (status)
        return status;
    if (!cli_output_open(&output, request->eye_path))
        return OPTINC_ERR_IO;
    eye_draw(output.stream, *eye, false);
    return cli_output_commit(&output) ? OPTINC_OK : OPTINC_ERR_IO;
}

static optinc_status simulate_all(const simulate_request *request, const optinc_design *design,
                                  json_t *object)
{
    json_t *layers = json_array(), *sweep = json_array();
    optinc_simulate_result result;
    optinc_eye *eye = NULL;
    uint32_t worst = 0;
    double value = NAN;
    optinc_status status = OPTINC_OK;

    if (request->eye_path)
        status = draw_eyes(request, design, &eye);
    if (!status)
        status = simulate_once(design, &request->options, &result);
    if (!status) {
        json_t *main_result = json_result(request, design, &result);

        if (!request->json)
            print_result(request, design, &result);
        json_object_update(object, main_result);
        json_decref(main_result);
    }
    if (!status && request->hardware.calibrate)
        status = simulate_before(request, design, object);
    if (!status && eye) {
        if (!request->json)
            eye_print(eye);
        cli_json_set(object, "eyes", eye_json(eye));
    }
    if (!status && request->per_layer)
        status = simulate_layers(request, design, layers, &worst);
    if (!status && request->sweep.steps)
        status = simulate_sweep(request, design, sweep);
    if (!status && request->tolerance) {
        status = find_tolerance(request, design, &value);
        if (!status && !request->json)
            printf("tolerance      %s up to %.4g leaves a yield of %.3g\n", request->tolerance,
                   value, request->yield);
        cli_json_set(object, "tolerance", cli_json_number(value));
    }
    if (request->per_layer) {
        json_object_set(object, "layers", layers);
        cli_json_set(object, "worst_layer", worst ? json_integer(worst) : json_null());
    }
    if (request->sweep.steps)
        json_object_set(object, "sweep", sweep);
    json_decref(layers);
    json_decref(sweep);
    optinc_eye_destroy(&eye);
    return status;
}

static int simulate(simulate_request *request)
{
    optinc_design *design = cli_load_design(request->path);
    json_t *object = json_object();
    optinc_status status;

    if (!design) {
        json_decref(object);
        return CLI_BAD_INPUT;
    }
    status = simulate_all(request, design, object);
    optinc_design_destroy(&design);
    if (status) {
        json_decref(object);
        return cli_library_error(status, request->path);
    }
    cli_json_set(object, "design", json_string(request->path));
    cli_json_set(object, "level", cli_json_count(request->options.level));
    cli_json_set(object, "seed", cli_json_count(request->options.seed));
    if (request->json)
        cli_print_json(object);
    else {
        printf("seed           %llu\n", (unsigned long long)request->options.seed);
        json_decref(object);
    }
    return CLI_DONE;
}

static bool resolve(simulate_request *request)
{
    optinc_simulate_options *options = &request->options;

    if (!cli_photonic_resolve(&request->hardware, &options->photonic))
        return false;
    if (options->codes_per_trial > CODES_MAX / options->trials) {
        cli_error("--codes: found %llu for each of %llu chips, expected at most 2^48 in all",
                  (unsigned long long)options->codes_per_trial,
                  (unsigned long long)options->trials);
        return false;
    }
    options->photonic.seed = options->seed;
    options->level = (uint32_t)request->level;
    options->thread_count = (uint32_t)request->threads;
    if (request->sweep_text &&
        !(sweep_read(request->sweep_text, &request->sweep) && sweep_check(&request->sweep)))
        return false;
    if (request->eye_path && !cli_check_replaceable(request->eye_path))
        return false;
    return !request->tolerance || sweep_check_tolerance(request->tolerance, request->tolerance_max);
}

static int run(int argc, char **argv)
{
    simulate_request request = {.tolerance_max = 0.1, .yield = 0.9};
    cli_option options[CLI_PHOTONIC_OPTIONS + 14];
    int count = cli_photonic_options(&request.hardware, options), operand_count;

    request.options = optinc_simulate_defaults();
    request.options.trials = 100;
    request.options.seed = 1;
    options[count++] =
        cli_count("--trials", &request.options.trials, "N", 1, UINT32_MAX, "chips; default 100");
    options[count++] = cli_count("--codes", &request.options.codes_per_trial, "N", 1,
                                 UINT64_C(1) << 40, "codes a chip; default 10000");
    options[count++] = cli_count("--level", &request.level, "L", 0, 7,
                                 "level of a cascade, 0 next to the servers; default 0");
    options[count++] = cli_number_from("--target", &request.options.target_error_rate, "SHARE", 0,
                                       1, "wrong codes that a good chip may have; default 1e-4");
    options[count++] = cli_flag("--per-layer", &request.per_layer,
                                "repeats all with faults in one layer at a time");
    options[count++] = cli_text(
        "--sweep", &request.sweep_text, "NAME=FIRST:LAST:STEPS",
        "repeats all over 2 to 1000 values of the device, by their name in its file, or of "
        "drift_time_s; default none");
    options[count++] =
        cli_text("--tolerance", &request.tolerance, "NAME",
                 "finds the largest value of the device that still gives --yield; default "
                 "none");
    options[count++] =
        cli_needs(cli_number("--tolerance-max", &request.tolerance_max, "VALUE", 0, 1e9,
                             "largest value that --tolerance tries; default 0.1"),
                  "--tolerance");
    options[count++] =
        cli_needs(cli_number_from("--yield", &request.yield, "SHARE", 0, 1,
                                  "good chips that --tolerance asks for; default 0.9"),
                  "--tolerance");
    options[count++] =
        cli_text("--eye", &request.eye_path, "FILE.svg",
                 "draws eye diagrams at the last receivers of the first chip; default "
                 "none");
    options[count++] = cli_count("--threads", &request.threads, "T", 1, 1024,
                                 "threads; the result does not depend on it; default all cores");
    options[count++] = cli_seed_option(&request.options.seed, "of chips, codes, noise; default 1");
    options[count++] = cli_json_option(&request.json);
    switch (cli_parse(
        &(cli_syntax){
            .usage = "simulate DESIGN [OPTIONS]",
            .text = "Builds chips of a design with random faults and sends random codes through "
                    "their fields: how many come out wrong, in which digit, by how much, and how "
                    "many chips are good.",
            .example = "optinc simulate switch.safetensors --phase-sigma 0.01 --splitter-sigma "
                       "0.01 --trials 200\n"
                       "optinc simulate switch.safetensors --device devices/published-best.yaml "
                       "--calibrate local --eye eye.svg\n"
                       "optinc simulate switch.safetensors --sweep phase_sigma_rad=0:0.1:11 "
                       "--json\n"
                       "optinc simulate switch.safetensors --tolerance splitter_sigma_rad",
            .options = options,
            .option_count = count,
            .operand_name = "DESIGN",
            .operands_min = 1,
            .operands_max = 1,
        },
        argc, argv, &operand_count)) {
    case CLI_PARSED_HELP:
        return CLI_DONE;
    case CLI_PARSED_WRONG:
        return CLI_BAD_INPUT;
    case CLI_PARSED:
        break;
    }
    request.path = argv[0];
    return resolve(&request) ? simulate(&request) : CLI_BAD_INPUT;
}

const cli_command cli_command_simulate = {
    .name = "simulate", .summary = "sends codes through chips with faults", .run = run};
