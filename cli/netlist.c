/* SPDX-License-Identifier: Apache-2.0 */
#include "netlist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"

#define MATRIX_SHOWN_MAX 4096u /* entries that --json holds */

bool netlist_named(const char *path)
{
    static const char *const ends[] = {".json", ".yaml", ".yml"};
    size_t length = strlen(path);

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (length > strlen(ends[i]) && strcmp(path + length - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

/* diag(e^(i output)) S with these losses; malloc'ed, or NULL after a message. */
static double *matrix_of(const optinc_circuit *circuit, double mzi_loss_db, double splitter_loss_db,
                         const char *path)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    optinc_device device = optinc_device_ideal();
    double *matrix = calloc((size_t)info.rows * info.cols, 2 * sizeof *matrix);
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    device.mzi_loss_db = mzi_loss_db;
    device.splitter_loss_db = splitter_loss_db;
    if (matrix)
        status = optinc_circuit_compile(circuit, &device, NULL, matrix);
    if (status == OPTINC_OK)
        return matrix;
    cli_library_error(status, path);
    free(matrix);
    return NULL;
}

/* The circuit of the design's layer; NULL after a message. */
static optinc_circuit *load_layer(const netlist_request *request)
{
    optinc_design *design = cli_load_design(request->design_path);
    optinc_circuit *circuits[OPTINC_LAYERS_MAX] = {NULL}, *found = NULL;
    const optinc_unit *unit;
    optinc_status status;

    if (!design)
        return NULL;
    if (request->level >= optinc_design_level_count(design)) {
        cli_error("--level: found %llu, expected 0 to %u as in %s",
                  (unsigned long long)request->level, optinc_design_level_count(design) - 1,
                  request->design_path);
        optinc_design_destroy(&design);
        return NULL;
    }
    unit = optinc_design_unit(design, request->level);
    if (request->layer > unit->layer_count) {
        cli_error("--layer: found %llu, expected 1 to %u as in %s",
                  (unsigned long long)request->layer, unit->layer_count, request->design_path);
    } else {
        status = optinc_unit_circuits(unit, request->options, &cli_log, circuits);
        if (status != OPTINC_OK)
            cli_library_error(status, request->design_path);
        for (uint32_t l = 0; l < unit->layer_count; l++)
            if (status == OPTINC_OK && l + 1 == request->layer)
                found = circuits[l];
            else
                optinc_circuit_destroy(&circuits[l]);
    }
    optinc_design_destroy(&design);
    return found;
}

/* max|difference| of the entries; false after a message. */
static bool compare(const netlist_request *request, const optinc_circuit *circuit,
                    const double *matrix, double *difference)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit), other;
    optinc_circuit *layer = load_layer(request);
    double *wanted = NULL;
    bool good = false;

    if (!layer)
        return false;
    other = optinc_circuit_describe(layer);
    if (other.rows != info.rows || other.cols != info.cols)
        cli_error("%s: found %u outputs and %u inputs, expected %u and %u as layer %u of %s",
                  request->path, info.rows, info.cols, other.rows, other.cols, request->layer,
                  request->design_path);
    else
        wanted = matrix_of(layer, request->options->device.mzi_loss_db,
                           request->options->device.splitter_loss_db, request->design_path);
    if (wanted) {
        *difference = 0;
        for (size_t i = 0; i < (size_t)info.rows * info.cols; i++)
            *difference = fmax(*difference, hypot(matrix[2 * i] - wanted[2 * i],
                                                  matrix[2 * i + 1] - wanted[2 * i + 1]));
        good = true;
    }
    free(wanted);
    optinc_circuit_destroy(&layer);
    return good;
}

static json_t *json_matrix(const double *matrix, uint32_t rows, uint32_t cols)
{
    json_t *list = json_array();

    for (uint32_t r = 0; r < rows; r++) {
        json_t *row = json_array();

        for (uint32_t c = 0; c < cols; c++) {
            const double *entry = matrix + 2 * ((size_t)r * cols + c);
            json_t *pair = json_array();

            json_array_append_new(pair, cli_json_number(entry[0]));
            json_array_append_new(pair, cli_json_number(entry[1]));
            json_array_append_new(row, pair);
        }
        json_array_append_new(list, row);
    }
    return list;
}

static void print_netlist(const netlist_request *request, const optinc_circuit *circuit,
                          const optinc_netlist_losses *losses, const double *matrix,
                          double difference)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    json_t *object;

    if (!request->json) {
        printf("netlist   %s\ncircuit   %u inputs, %u outputs, %u modes, depth %u\n"
               "mzis      %zu, %zu splitters\nshifters  %zu heated, %.6g pi in all\n"
               "loss      %g dB an MZI, %g dB a splitter\n",
               request->path, info.cols, info.rows, info.mode_count, info.depth, info.mzi_count,
               info.element_count - info.mzi_count, info.shifter_count,
               info.phase_sum_rad / 3.14159265358979323846, losses->mzi_loss_db,
               losses->splitter_loss_db);
        if (request->design_path)
            printf("matrix    max|difference| %.3g from layer %u of %s: %s\n", difference,
                   request->layer, request->design_path,
                   difference <= request->tolerance ? "the same" : "not the same");
        return;
    }
    object = json_object();
    cli_json_set(object, "netlist", json_string(request->path));
    cli_json_set(object, "inputs", cli_json_count(info.cols));
    cli_json_set(object, "outputs", cli_json_count(info.rows));
    cli_json_set(object, "modes", cli_json_count(info.mode_count));
    cli_json_set(object, "depth", cli_json_count(info.depth));
    cli_json_set(object, "mzis", cli_json_count(info.mzi_count));
    cli_json_set(object, "splitters", cli_json_count(info.element_count - info.mzi_count));
    cli_json_set(object, "shifters", cli_json_count(info.shifter_count));
    cli_json_set(object, "phase_sum_rad", cli_json_number(info.phase_sum_rad));
    cli_json_set(object, "mzi_loss_db", cli_json_number(losses->mzi_loss_db));
    cli_json_set(object, "splitter_loss_db", cli_json_number(losses->splitter_loss_db));
    if ((size_t)info.rows * info.cols <= MATRIX_SHOWN_MAX)
        cli_json_set(object, "matrix", json_matrix(matrix, info.rows, info.cols));
    if (request->design_path) {
        cli_json_set(object, "design", json_string(request->design_path));
        cli_json_set(object, "layer", cli_json_count(request->layer));
        cli_json_set(object, "difference", cli_json_number(difference));
        cli_json_set(object, "same", json_boolean(difference <= request->tolerance));
    }
    cli_print_json(object);
}

int netlist_inspect(const netlist_request *request)
{
    optinc_netlist_losses losses;
    optinc_circuit *circuit = NULL;
    double *matrix, difference = 0;
    optinc_status status = optinc_circuit_import(request->path, &cli_log, &losses, &circuit);
    int code = CLI_BAD_INPUT;

    if (status != OPTINC_OK)
        return cli_library_error(status, request->path);
    matrix = matrix_of(circuit, losses.mzi_loss_db, losses.splitter_loss_db, request->path);
    if (matrix && (!request->design_path || compare(request, circuit, matrix, &difference))) {
        print_netlist(request, circuit, &losses, matrix, difference);
        code = difference <= request->tolerance ? CLI_DONE : CLI_SPEC_NOT_MET;
    }
    free(matrix);
    optinc_circuit_destroy(&circuit);
    return code;
}
