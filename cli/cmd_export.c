/* SPDX-License-Identifier: Apache-2.0 */
/* optinc export: hands the circuits of a design on, one file a layer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "describe.h"
#include "optinc/layout.h"
#include "photonic.h"

typedef struct export_request {
    cli_photonic hardware;
    optinc_photonic_options options;
    uint64_t level;
    uint64_t layer; /* 0: all of them */
    int format;
    const char *output;
    const char *path;
    bool json;
} export_request;

static const char *const formats[] = {"json", "sax", "touchstone", "svg", "gds", NULL};
#define GDS 4

/* OUT for a layer asked for by --layer; else OUT with .layerN before its extension. */
static char *layer_path(const char *output, uint32_t layer, bool single)
{
    const char *slash = strrchr(output, '/');
    const char *dot = strrchr(slash ? slash : output, '.');
    size_t size = strlen(output) + 24, head = dot ? (size_t)(dot - output) : strlen(output);
    char *path = malloc(size);

    if (!path)
        return NULL;
    if (single)
        snprintf(path, size, "%s", output);
    else
        snprintf(path, size, "%.*s.layer%u%s", (int)head, output, layer, output + head);
    return path;
}

static optinc_status export_layer(const export_request *request, const optinc_circuit *circuit,
                                  uint32_t layer, json_t *files)
{
    optinc_circuit_info info = optinc_circuit_describe(circuit);
    char *path = layer_path(request->output, layer, request->layer != 0);
    json_t *row = json_object();
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (path)
        status = optinc_circuit_export(circuit, &request->options.device,
                                       (optinc_export_format)request->format, path, &cli_log);
    if (!status && !request->json)
        printf("layer %-3u      %u inputs, %u outputs, %zu MZIs: %s\n", layer, info.cols, info.rows,
               info.mzi_count, path);
    cli_json_set(row, "layer", cli_json_count(layer));
    cli_json_set(row, "inputs", cli_json_count(info.cols));
    cli_json_set(row, "outputs", cli_json_count(info.rows));
    cli_json_set(row, "mzis", cli_json_count(info.mzi_count));
    cli_json_set(row, "path", json_string(path ? path : ""));
    json_array_append_new(files, row);
    free(path);
    return status;
}

/* What the floor plan of a layer, or of all, comes to. */
static void print_plan(const char *what, const optinc_layout_info *info, double crossing_loss_db)
{
    printf("%-14s %zu MZIs of %.6g mm2 in circuits of %.6g mm2, %llu crossings", what,
           info->mzi_count, info->mzi_area_mm2, info->circuit_area_mm2,
           (unsigned long long)info->crossing_count);
    if (info->crossing_count)
        printf(", up to %u on a way (%.4g dB)", info->path_crossings_max,
               info->path_crossings_max * crossing_loss_db);
    putchar('\n');
}

static json_t *plan_json(const optinc_layout_info *info, double crossing_loss_db)
{
    json_t *row = json_object();

    cli_json_set(row, "mzis", cli_json_count(info->mzi_count));
    cli_json_set(row, "splitters", cli_json_count(info->splitter_count));
    cli_json_set(row, "crossings", cli_json_count(info->crossing_count));
    cli_json_set(row, "path_crossings_max", cli_json_count(info->path_crossings_max));
    cli_json_set(row, "crossing_loss_db_max",
                 cli_json_number(info->path_crossings_max * crossing_loss_db));
    cli_json_set(row, "mzi_area_mm2", cli_json_number(info->mzi_area_mm2));
    cli_json_set(row, "circuit_area_mm2", cli_json_number(info->circuit_area_mm2));
    cli_json_set(row, "length_mm", cli_json_number(info->length_mm));
    cli_json_set(row, "width_mm", cli_json_number(info->width_mm));
    return row;
}

/* One file for all layers, or for the one asked for. */
static optinc_status export_plan(const export_request *request, const optinc_unit *unit,
                                 const optinc_circuit *const *circuits, json_t *files)
{
    uint32_t first = request->layer ? (uint32_t)request->layer - 1 : 0;
    uint32_t count = request->layer ? 1 : unit->layer_count;
    double crossing_db = request->options.device.crossing_loss_db;
    optinc_layout_info layers[OPTINC_LAYERS_MAX], total;
    char name[33], what[24];
    const optinc_layout_options options = {.name = name,
                                           .device = &request->options.device,
                                           .spec = request->layer ? NULL : &unit->spec,
                                           .layer_first = first + 1};
    json_t *row, *rows = json_array();
    optinc_status status;

    snprintf(name, sizeof name, "OPTINC_N%u_B%u_LEVEL%u", unit->spec.ports, unit->spec.bits_in,
             (unsigned)request->level);
    status = optinc_layout_export(circuits + first, count, &options, request->output, &cli_log,
                                  layers, &total);
    if (status) {
        json_decref(rows);
        return status;
    }
    for (uint32_t l = 0; l < count; l++) {
        row = plan_json(&layers[l], crossing_db);
        cli_json_set(row, "layer", cli_json_count(first + l + 1));
        json_array_append_new(rows, row);
        snprintf(what, sizeof what, "layer %u", first + l + 1);
        if (!request->json)
            print_plan(what, &layers[l], crossing_db);
    }
    if (!request->json) {
        if (count > 1)
            print_plan("all", &total, crossing_db);
        printf("chip           %.6g x %.6g mm: %s\n", total.length_mm, total.width_mm,
               request->output);
    }
    row = plan_json(&total, crossing_db);
    cli_json_set(row, "path", json_string(request->output));
    cli_json_set(row, "layers", rows);
    json_array_append_new(files, row);
    return OPTINC_OK;
}

static optinc_status export_unit(const export_request *request, const optinc_unit *unit,
                                 json_t *files)
{
    optinc_circuit *circuits[OPTINC_LAYERS_MAX];
    optinc_status status;

    if (unit->layer_count == 0 || request->layer > unit->layer_count) {
        cli_error("--layer: found %llu, expected 1 to %u as in %s",
                  (unsigned long long)request->layer, unit->layer_count, request->path);
        return OPTINC_ERR_INVALID_ARGUMENT;
    }
    status = optinc_unit_circuits(unit, &request->options, &cli_log, circuits);
    if (status)
        return status;
    if (request->format == GDS)
        status = export_plan(request, unit, (const optinc_circuit *const *)circuits, files);
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        if (!status && request->format != GDS && (request->layer == 0 || request->layer == l + 1))
            status = export_layer(request, circuits[l], l + 1, files);
        optinc_circuit_destroy(&circuits[l]);
    }
    return status;
}

static int export_design(const export_request *request)
{
    optinc_design *design;
    json_t *files;
    optinc_status status;

    if (!cli_check_replaceable(request->output))
        return CLI_BAD_INPUT;
    design = cli_load_design(request->path);
    if (!design)
        return CLI_BAD_INPUT;
    if (request->level >= optinc_design_level_count(design)) {
        cli_error("--level: found %llu, expected 0 to %u as in %s",
                  (unsigned long long)request->level, optinc_design_level_count(design) - 1,
                  request->path);
        optinc_design_destroy(&design);
        return CLI_BAD_INPUT;
    }
    files = json_array();
    status = export_unit(request, optinc_design_unit(design, (uint32_t)request->level), files);
    optinc_design_destroy(&design);
    if (status) {
        json_decref(files);
        return cli_library_error(status, request->output);
    }
    if (request->json) {
        json_t *object = json_object();

        cli_json_set(object, "design", json_string(request->path));
        cli_json_set(object, "format", json_string(formats[request->format]));
        cli_json_set(object, "files", files);
        cli_print_json(object);
    } else {
        json_decref(files);
    }
    return CLI_DONE;
}

static int run(int argc, char **argv)
{
    export_request request = {.format = 0};
    cli_option options[CLI_PHOTONIC_OPTIONS + 5];
    int count = cli_photonic_options(&request.hardware, options), operand_count;

    options[count++] = cli_choice(
        "--format", &request.format, formats,
        "json: all of it; sax: a netlist; touchstone: the S-matrix; svg: a drawing; gds: one floor "
        "plan of all layers; default json");
    options[count++] = cli_count("--layer", &request.layer, "L", 1, OPTINC_LAYERS_MAX,
                                 "this layer alone, from 1, into OUT; default all");
    options[count++] = cli_count("--level", &request.level, "L", 0, 7,
                                 "level of a cascade, 0 next to the servers; default 0");
    options[count++] = cli_output_option(
        &request.output, "OUT",
        "where to; without --layer, layer 2 of a.json is a.layer2.json (gds: all in OUT)");
    options[count++] = cli_json_option(&request.json);
    switch (cli_parse(
        &(cli_syntax){
            .usage = "export DESIGN [--format json|sax|touchstone|svg|gds] -o OUT [OPTIONS]",
            .text =
                "Writes the circuit of every layer for other tools. Losses and sizes are those of "
                "--device; other faults are a chip's and not exported.",
            .example = "optinc export switch.safetensors --format sax --layer 1 -o layer1.yaml\n"
                       "optinc export switch.safetensors --format gds --mapping direct --device "
                       "devices/published-best.yaml -o chip.gds",
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
    if (!cli_photonic_resolve(&request.hardware, &request.options))
        return CLI_BAD_INPUT;
    return export_design(&request);
}

const cli_command cli_command_export = {
    .name = "export", .summary = "hands the circuits on to other tools", .run = run};
