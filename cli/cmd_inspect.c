/* SPDX-License-Identifier: Apache-2.0 */
/* optinc inspect: the layers of a design, their mapping to MZIs, and what they cost. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "cli.h"
#include "describe.h"
#include "netlist.h"
#include "photonic.h"

typedef struct inspect_request {
    cli_photonic hardware;
    optinc_photonic_options options;
    int diagonal; /* index into diagonals */
    const char *path;
    const char *compare; /* a design that a netlist is compared with */
    uint64_t layer;
    uint64_t level;
    double tolerance;
    bool json;
} inspect_request;

static const char *const diagonals[] = {"max", "min", NULL};

static json_t *json_layer(const optinc_layer *layer, const optinc_layer_cost *cost, uint32_t level,
                          uint64_t units)
{
    json_t *object = json_object();

    cli_json_set(object, "level", json_integer(level));
    cli_json_set(object, "units", cli_json_count(units));
    cli_json_set(object, "rows", json_integer(cost->rows));
    cli_json_set(object, "cols", json_integer(cost->cols));
    cli_json_set(object, "activation", json_string(cli_activation_name(layer->activation)));
    cli_json_set(object, "mapping", json_string(cli_mapping_name(cost->mapping)));
    cli_json_set(object, "mzis", cli_json_count(cost->mzis));
    cli_json_set(object, "mzis_svd", cli_json_count(cost->mzis_svd));
    cli_json_set(object, "depth", cli_json_count(cost->depth));
    return object;
}

static void print_layer(const optinc_layer *layer, const optinc_layer_cost *cost, uint32_t level,
                        uint32_t index)
{
    printf("%5u  %5u  %6u  %6u  %-10s  %-9s  %8" PRIu64 "  %8" PRIu64 "  %6" PRIu64 "\n", level,
           index, cost->rows, cost->cols, cli_activation_name(layer->activation),
           cli_mapping_name(cost->mapping), cost->mzis, cost->mzis_svd, cost->depth);
}

/* Calls json_layer or print_layer for every layer; layers: NULL to print. */
static optinc_status each_layer(const optinc_design *design, const optinc_cost_options *options,
                                json_t *layers)
{
    for (uint32_t level = 0; level < optinc_design_level_count(design); level++) {
        const optinc_unit *unit = optinc_design_unit(design, level);

        for (uint32_t i = 0; i < unit->layer_count; i++) {
            const optinc_layer *layer = &unit->layers[i];
            optinc_layer_cost cost;
            optinc_status status = optinc_layer_cost_of(layer, options, &cost);

            if (status != OPTINC_OK)
                return status;
            if (layers)
                json_array_append_new(
                    layers, json_layer(layer, &cost, level, cli_units_of_level(design, level)));
            else
                print_layer(layer, &cost, level, i + 1);
        }
    }
    return OPTINC_OK;
}

/* One level of the tree, all its switches together. */
typedef struct level_figures {
    uint64_t switches;
    optinc_design_cost cost;  /* of one */
    optinc_layer_budget sums; /* of one: layers added up, latency one after another */
    uint64_t fibres_up,
        fibres_down; /* one a symbol: into the switches, and the result out to all */
} level_figures;

static optinc_status find_level(const inspect_request *request, const optinc_design *design,
                                uint32_t level, const optinc_cost_options *options,
                                level_figures *figures)
{
    const optinc_unit *unit = optinc_design_unit(design, level);
    optinc_spec flat = optinc_design_flat_spec(design);
    optinc_layer_budget *layers = calloc(unit->layer_count + 1, sizeof *layers);
    optinc_status status = layers ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;
    uint64_t inputs;

    *figures = (level_figures){.switches = cli_units_of_level(design, level)};
    inputs = figures->switches * unit->spec.ports;
    figures->fibres_up = inputs * optinc_spec_digits_in(&unit->spec);
    figures->fibres_down = inputs * optinc_spec_digits_out(&flat);
    if (status == OPTINC_OK)
        status = optinc_unit_cost_of(unit, options, &figures->cost);
    if (status == OPTINC_OK)
        status = optinc_unit_budget(unit, &request->options, &cli_log, layers);
    for (uint32_t l = 0; status == OPTINC_OK && l < unit->layer_count; l++) {
        figures->sums.area_mm2 += layers[l].area_mm2;
        figures->sums.power_w += layers[l].power_w;
        figures->sums.latency_ps += layers[l].latency_ps;
    }
    free(layers);
    return status;
}

static json_t *json_level(const optinc_unit *unit, const level_figures *f)
{
    json_t *object = json_object();
    double switches = (double)f->switches;

    cli_json_set(object, "switches", cli_json_count(f->switches));
    cli_json_set(object, "ports", json_integer(unit->spec.ports));
    cli_json_set(object, "symbols_in", json_integer(optinc_spec_digits_in(&unit->spec)));
    cli_json_set(object, "symbols_out", json_integer(optinc_spec_digits_out(&unit->spec)));
    cli_json_set(object, "mzis_switch", cli_json_count(f->cost.mzis));
    cli_json_set(object, "mzis", cli_json_count(f->switches * f->cost.mzis));
    cli_json_set(object, "area_mm2", cli_json_number(switches * f->cost.area_mm2));
    cli_json_set(object, "area_built_mm2", cli_json_number(switches * f->sums.area_mm2));
    cli_json_set(object, "power_w", cli_json_number(switches * f->sums.power_w));
    cli_json_set(object, "latency_ps", cli_json_number(f->sums.latency_ps));
    cli_json_set(object, "fibres_up", cli_json_count(f->fibres_up));
    cli_json_set(object, "fibres_down", cli_json_count(f->fibres_down));
    cli_json_set(object, "proof", cli_json_proof(&unit->proof));
    return object;
}

/* levels: NULL to print; *fibres: of the whole. */
static optinc_status each_level(const inspect_request *request, const optinc_design *design,
                                const optinc_cost_options *options, json_t *levels,
                                uint64_t *fibres, uint64_t *switches)
{
    optinc_status status = OPTINC_OK;

    *fibres = *switches = 0;
    for (uint32_t level = 0; level < optinc_design_level_count(design); level++) {
        const optinc_unit *unit = optinc_design_unit(design, level);
        level_figures f;

        status = find_level(request, design, level, options, &f);
        if (status != OPTINC_OK)
            break;
        *fibres += f.fibres_up + f.fibres_down;
        *switches += f.switches;
        if (levels)
            json_array_append_new(levels, json_level(unit, &f));
        else
            printf("%5u  %8" PRIu64 "  %5u  %2u in %2u out  %10" PRIu64 "  %10" PRIu64
                   "  %9.4g  %8.4g  %10.5g  %8" PRIu64 " %8" PRIu64 "\n",
                   level, f.switches, unit->spec.ports, optinc_spec_digits_in(&unit->spec),
                   optinc_spec_digits_out(&unit->spec), f.cost.mzis, f.switches * f.cost.mzis,
                   (double)f.switches * f.sums.area_mm2, (double)f.switches * f.sums.power_w,
                   f.sums.latency_ps, f.fibres_up, f.fibres_down);
    }
    return status;
}

static optinc_status print_levels(const inspect_request *request, const optinc_design *design,
                                  const optinc_cost_options *options)
{
    uint64_t fibres = 0, switches = 0;
    optinc_status status;

    puts("\nlevel  switches  ports  symbols       MZIs each    MZIs all  area mm2   power W  "
         "latency ps  fibres up    down");
    status = each_level(request, design, options, NULL, &fibres, &switches);
    printf("all       %" PRIu64 " switch%s, %" PRIu64 " fibres of one symbol each, up and down\n",
           switches, switches == 1 ? "" : "es", fibres);
    return status;
}

static json_t *json_whole(const inspect_request *request, const optinc_design *design,
                          const optinc_design_cost *cost, const char *convention)
{
    const optinc_unit *unit = optinc_design_unit(design, 0);
    json_t *object = json_object();
    char checksum[20];

    snprintf(checksum, sizeof checksum, "%016" PRIx64, optinc_design_checksum(design));
    cli_json_set(object, "design", json_string(request->path));
    cli_json_set(object, "servers", json_integer(optinc_design_ports(design)));
    cli_json_set(object, "bits", json_integer(optinc_design_bits(design)));
    cli_json_set(object, "symbols", json_integer(optinc_design_bits(design) / 2));
    cli_json_set(object, "level_count", json_integer(optinc_design_level_count(design)));
    cli_json_set(object, "method", json_string(cli_method_name(unit->method)));
    cli_json_set(object, "variant",
                 json_string(cli_variant_name(optinc_design_flat_spec(design).variant)));
    cli_json_set(object, "mzis", cli_json_count(cost->mzis));
    cli_json_set(object, "mzis_svd", cli_json_count(cost->mzis_svd));
    cli_json_set(object, "area_mm2", cli_json_number(cost->area_mm2));
    cli_json_set(object, "convention", json_string(convention));
    cli_json_set(object, "exact", json_boolean(optinc_design_exact(design)));
    cli_json_set(object, "checksum", json_string(checksum));
    cli_json_set(object, "seed", cli_json_count(unit->seed));
    return object;
}

static void print_head(const inspect_request *request, const optinc_design *design)
{
    printf(
        "design    %s\nservers   %u\nbits      %u (%u PAM4 symbols)\nmethod    %s\nvariant   %s\n"
        "checksum  %016" PRIx64 "\nseed      %" PRIu64 "%s\n",
        request->path, optinc_design_ports(design), optinc_design_bits(design),
        optinc_design_bits(design) / 2, cli_method_name(optinc_design_unit(design, 0)->method),
        cli_variant_name(optinc_design_flat_spec(design).variant), optinc_design_checksum(design),
        optinc_design_unit(design, 0)->seed,
        optinc_design_unit(design, 0)->method == OPTINC_METHOD_CONSTRUCTED &&
                optinc_design_exact(design) && optinc_design_unit(design, 0)->seed == 0
            ? " (the construction draws no random numbers)"
            : "");
    for (uint32_t level = 0; level < optinc_design_level_count(design); level++) {
        const optinc_unit *unit = optinc_design_unit(design, level);
        char text[CLI_PROOF_TEXT_SIZE];

        printf("level %u   %" PRIu64 " x %u ports, %u bits in, %u out; proof: %s\n", level,
               cli_units_of_level(design, level), unit->spec.ports, unit->spec.bits_in,
               unit->spec.bits_out, cli_proof_text(&unit->proof, text));
    }
    puts("\nlevel  layer    rows    cols  activation  mapping        mzis  mzis_svd   depth");
}

/* How MZIs are counted, and why what is built differs. */
static void find_convention(const inspect_request *request, const optinc_cost_options *options,
                            char text[CLI_CONVENTION_SIZE])
{
    size_t used = strlen(cli_convention(options, text));

    if (request->options.direct)
        snprintf(text + used, CLI_CONVENTION_SIZE - used, "; --mapping direct builds trees");
    else if (request->options.bias_electronic)
        snprintf(text + used, CLI_CONVENTION_SIZE - used,
                 "; --bias electronic builds no such column");
}

static optinc_status inspect_design(const inspect_request *request, const optinc_design *design)
{
    optinc_cost_options options = {.diagonal_min = request->diagonal == 1, .bias_port = true};
    char convention[CLI_CONVENTION_SIZE];
    char count[2][CLI_COUNT_TEXT_SIZE];
    optinc_design_cost cost;
    optinc_status status = optinc_design_cost_of(design, &options, &cost);
    uint64_t fibres = 0, switches = 0;
    json_t *object, *layers, *levels;

    if (status != OPTINC_OK)
        return status;
    find_convention(request, &options, convention);
    if (!request->json) {
        print_head(request, design);
        status = each_layer(design, &options, NULL);
        printf("\nmzis      %s (%s if every layer were mapped by SVD)\narea      %.6g mm2\n"
               "counting  %s\n",
               cli_count_text(cost.mzis, count[0]), cli_count_text(cost.mzis_svd, count[1]),
               cost.area_mm2, convention);
        if (status == OPTINC_OK)
            status = cli_print_budget(design, &request->options);
        if (status == OPTINC_OK)
            status = print_levels(request, design, &options);
        return status;
    }
    object = json_whole(request, design, &cost, convention);
    layers = json_array();
    levels = json_array();
    status = each_layer(design, &options, layers);
    if (status == OPTINC_OK)
        status = cli_json_budget(object, layers, design, &request->options);
    if (status == OPTINC_OK)
        status = each_level(request, design, &options, levels, &fibres, &switches);
    cli_json_set(object, "layers", layers);
    cli_json_set(object, "levels", levels);
    if (status != OPTINC_OK) {
        json_decref(object);
        return status;
    }
    cli_json_set(object, "switches", cli_json_count(switches));
    cli_json_set(object, "fibres", cli_json_count(fibres));
    cli_print_json(object);
    return OPTINC_OK;
}

static int run(int argc, char **argv)
{
    inspect_request request = {.layer = 1, .tolerance = 1e-9};
    cli_option options[CLI_PHOTONIC_OPTIONS + 6];
    int count = cli_photonic_options(&request.hardware, options);
    cli_syntax syntax = {
        .usage = "inspect DESIGN|NETLIST [OPTIONS]",
        .text = "Shows the layers of a design, how each is mapped to Mach-Zehnder interferometers "
                "(MZIs), their number and their area, and what the whole takes in area, power and "
                "light with the components of --device. Rows and columns are those of the matrix "
                "that is built, the bias column included.",
        .example = "optinc inspect switch.safetensors --device devices/published-best.yaml\n"
                   "optinc inspect layer1.yaml --compare switch.safetensors --layer 1",
        .options = options,
        .operand_name = "DESIGN|NETLIST",
        .operands_min = 1,
        .operands_max = 1,
    };
    optinc_design *design;
    optinc_status status;
    int operand_count;

    options[count++] = cli_choice("--diagonal", &request.diagonal, diagonals,
                                  "MZIs counted for the diagonal of an SVD: max or min of rows and "
                                  "columns; default max");
    options[count++] =
        cli_text("--compare", &request.compare, "DESIGN",
                 "compares a netlist with the layer --layer of this design; default none");
    options[count++] = cli_needs(cli_count("--layer", &request.layer, "L", 1, OPTINC_LAYERS_MAX,
                                           "layer of --compare, from 1; default 1"),
                                 "--compare");
    options[count++] = cli_needs(cli_count("--level", &request.level, "L", 0, 7,
                                           "level of a cascade, 0 next to the servers; default 0"),
                                 "--compare");
    options[count++] =
        cli_needs(cli_number_from("--within", &request.tolerance, "DIFFERENCE", 0, 1e300,
                                  "largest difference of the two matrices; default 1e-9"),
                  "--compare");
    options[count++] = cli_json_option(&request.json);
    syntax.option_count = count;
    switch (cli_parse(&syntax, argc, argv, &operand_count)) {
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
    if (netlist_named(request.path))
        return netlist_inspect(&(netlist_request){.path = request.path,
                                                  .design_path = request.compare,
                                                  .layer = (uint32_t)request.layer,
                                                  .level = (uint32_t)request.level,
                                                  .tolerance = request.tolerance,
                                                  .options = &request.options,
                                                  .json = request.json});
    if (request.compare)
        return cli_error("--compare: found %s to compare, expected a netlist (.json, .yaml)",
                         request.path);
    design = cli_load_design(request.path);
    if (!design)
        return CLI_BAD_INPUT;
    status = inspect_design(&request, design);
    optinc_design_destroy(&design);
    return status == OPTINC_OK ? CLI_DONE : cli_library_error(status, request.path);
}

const cli_command cli_command_inspect = {
    .name = "inspect", .summary = "shows a design's layers, MZIs and area", .run = run};
