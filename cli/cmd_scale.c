/* SPDX-License-Identifier: Apache-2.0 */
/* optinc scale: time, bytes and energy of an all-reduce against the number of servers, five
 * collectives. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cluster.h"
#include "energy.h"
#include "options.h"

#define SERVERS_MAX (UINT64_C(1) << 24)
#define SERVERS_COUNT_MAX 64

typedef struct scale_request {
    optinc_cluster cluster;
    const char *servers_text;
    uint64_t servers[SERVERS_COUNT_MAX];
    int servers_count;
    uint64_t bits;
    uint64_t block_size;
    uint64_t switch_radix;
    uint64_t optical_ports;
    uint64_t chunks;
    double compute_ms; /* < 0: no step times */
    double overlap;
    scale_energy energy;
    const char *points_path;
    const char *plot_path;
    int plot_axis;
    bool json;
} scale_request;

/* One collective among some servers. */
typedef struct scale_row {
    const char *name;
    uint64_t servers;
    optinc_cluster_time time;
    optinc_cluster_time ring; /* among as many */
    double optical_w; /* 0 where there is no optical switch, NaN where its power is unknown */
} scale_row;

static double step_s(const scale_request *request, const scale_row *row)
{
    return optinc_cluster_step_s(request->compute_ms * 1e-3, row->time.time_s, request->overlap);
}

static json_t *json_row(const scale_request *request, const scale_row *row)
{
    json_t *object = json_object();
    const optinc_cluster_time *time = &row->time;

    cli_json_set(object, "collective", json_string(row->name));
    cli_json_set(object, "servers", cli_json_count(row->servers));
    cli_json_set(object, "bytes_per_server", cli_json_number(time->bytes_per_server));
    cli_json_set(object, "time_s", cli_json_number(time->time_s));
    cli_json_set(object, "latency_s", cli_json_number(time->latency_s));
    cli_json_set(object, "transfer_s", cli_json_number(time->transfer_s));
    cli_json_set(object, "host_s", cli_json_number(time->host_s));
    cli_json_set(object, "energy_j", cli_json_number(time->energy_j));
    energy_json(object, time, &row->ring, row->optical_w);
    cli_json_set(object, "levels", json_integer(time->levels));
    if (request->compute_ms >= 0)
        cli_json_set(object, "step_s", cli_json_number(step_s(request, row)));
    return object;
}

static void print_row(const scale_request *request, const scale_row *row)
{
    const optinc_cluster_time *time = &row->time;
    char count[2][CLI_COUNT_TEXT_SIZE];

    printf("%9s  %-17s  %18s  %12.6g  %8.4f", cli_count_text(row->servers, count[0]), row->name,
           cli_count_text((uint64_t)time->bytes_per_server, count[1]), time->time_s * 1e3,
           row->ring.time_s > 0 ? time->time_s / row->ring.time_s : 1.0);
    if (request->compute_ms >= 0)
        printf("  %12.6g", 1e3 * step_s(request, row));
    if (request->energy.wanted)
        energy_print(time, &row->ring, row->optical_w);
    putchar('\n');
}

static void print_head(const scale_request *request)
{
    printf("  servers  collective             bytes/server       time ms   of ring%s",
           request->compute_ms >= 0 ? "       step ms" : "");
    if (request->energy.wanted)
        energy_print_head();
    putchar('\n');
}

/* The picture goes from the least to the most servers; against size it is of the first number. */
static bool make_study(const scale_request *request, cluster_study *study)
{
    *study = (cluster_study){.cluster = request->cluster,
                             .servers_min = request->servers[0],
                             .servers_max = request->servers[0]};
    study->cluster.servers = request->servers[0];
    for (int i = 0; i < request->servers_count; i++) {
        uint64_t servers = request->servers[i];

        study->servers_min = servers < study->servers_min ? servers : study->servers_min;
        study->servers_max = servers > study->servers_max ? servers : study->servers_max;
    }
    return !request->points_path || cluster_points_load(study, request->points_path);
}

static bool draw(const scale_request *request, const cluster_study *study)
{
    cli_output output;

    if (!request->plot_path)
        return true;
    if (request->plot_axis == CLUSTER_SERVERS && study->servers_min == study->servers_max) {
        cli_error("--plot: found one number of --servers, expected two or more, or --over size");
        return false;
    }
    if (!cli_output_open(&output, request->plot_path))
        return false;
    if (!cluster_plot(study, (cluster_axis)request->plot_axis, false, output.stream)) {
        cli_output_abandon(&output);
        return false;
    }
    return cli_output_commit(&output);
}

/* Prints the rows of the index-th number of servers, or adds them to `rows`. */
static optinc_status add_rows(const scale_request *request, int index, json_t *rows)
{
    optinc_cluster cluster = request->cluster;
    scale_row row = {.servers = request->servers[index]};
    double optical_w;

    cluster.servers = row.servers;
    optical_w = energy_optical_w(&request->energy, &cluster);
    cluster.optical_w = isnan(optical_w) ? 0 : optical_w;
    for (unsigned c = 0; c < OPTINC_CLUSTER_COLLECTIVE_COUNT; c++) {
        optinc_status status =
            optinc_cluster_time_of(&cluster, (optinc_cluster_collective)c, &cli_log, &row.time);

        if (status != OPTINC_OK)
            return status;
        if (index == 0 && c == 0 && !request->json)
            print_head(request);
        if (c == OPTINC_CLUSTER_RING)
            row.ring = row.time;
        row.name = optinc_cluster_collective_name((optinc_cluster_collective)c);
        row.optical_w = c == OPTINC_CLUSTER_OPTICAL ? optical_w : 0;
        if (request->json)
            json_array_append_new(rows, json_row(request, &row));
        else
            print_row(request, &row);
    }
    return OPTINC_OK;
}

static int scale(const scale_request *request, const cluster_study *study)
{
    json_t *rows = json_array();
    json_t *object = json_object();
    optinc_status status = OPTINC_OK;

    for (int i = 0; i < request->servers_count && status == OPTINC_OK; i++)
        status = add_rows(request, i, rows);
    if (status != OPTINC_OK) {
        json_decref(rows);
        json_decref(object);
        return cli_library_error(status, "the time model");
    }
    cluster_study_json(study, object);
    cli_json_set(object, "energy", energy_json_settings(&request->energy, &request->cluster));
    cli_json_set(object, "rows", rows);
    if (request->json) {
        cli_print_json(object);
        return CLI_DONE;
    }
    json_decref(object);
    if (request->energy.wanted)
        energy_print_foot(&request->energy, &request->cluster, study->servers_max);
    return CLI_DONE;
}

static int scale_and_draw(scale_request *request)
{
    cluster_study study = {0};
    int code = CLI_BAD_INPUT;

    if (cli_read_counts("--servers", request->servers_text, 1, SERVERS_MAX, request->servers,
                        SERVERS_COUNT_MAX, &request->servers_count) &&
        make_study(request, &study) && draw(request, &study))
        code = scale(request, &study);
    cluster_study_free(&study);
    return code;
}

/* The options as the time model takes them. */
static int resolve(scale_request *request)
{
    optinc_cluster *cluster = &request->cluster;

    if (request->block_size % 4 != 0)
        return cli_error("--block-size: found %" PRIu64 ", expected a multiple of 4",
                         request->block_size);
    if ((request->optical_ports & (request->optical_ports - 1)) != 0)
        return cli_error("--optical-ports: found %" PRIu64 ", expected a power of two from 2 to 64",
                         request->optical_ports);
    cluster->chunks = (uint32_t)request->chunks;
    cluster->bits = (uint32_t)request->bits;
    cluster->block_size = (uint32_t)request->block_size;
    cluster->switch_radix = (uint32_t)request->switch_radix;
    cluster->optical_ports = (uint32_t)request->optical_ports;
    if (!energy_resolve(&request->energy, cluster))
        return CLI_BAD_INPUT;
    return scale_and_draw(request);
}

static scale_request request_default(void)
{
    return (scale_request){.cluster = optinc_cluster_default(),
                           .servers_text = "4,16,64,256,1024",
                           .bits = 8,
                           .block_size = 256,
                           .switch_radix = 64,
                           .optical_ports = 4,
                           .chunks = 1,
                           .compute_ms = -1.0};
}

static int run(int argc, char **argv)
{
    scale_request request = request_default();
    optinc_cluster *cluster = &request.cluster;
    static const char *const axes[] = {"servers", "size", NULL};
    const double any = 1e12;
    const char *alltoalls[OPTINC_ALLTOALL_COUNT + 1] = {NULL};
    int alltoall = OPTINC_ALLTOALL_FASTEST;
    const cli_option model[] = {
        cli_text("--servers", &request.servers_text, "K,...",
                 "numbers of servers; default 4,16,64,256,1024"),
        cli_count("--elements", &cluster->elements, "E", 0, (uint64_t)1 << 48,
                  "gradient elements; default 16777216"),
        cli_even(cli_count("--bits", &request.bits, "B", 2, 32,
                           "bits of a gradient code, even; default 8")),
        cli_count("--block-size", &request.block_size, "E", 4, 65536,
                  "elements that share an exponent, a multiple of 4; default 256"),
        cli_number("--link-gbps", &cluster->link_gbps, "GBPS", 0.0, any,
                   "rate of a server's link, each direction; default 6400"),
        cli_number_from("--latency-us", &cluster->latency_us, "US", 0.0, any,
                        "latency of a message; default 2"),
        cli_number_from("--overhead-us", &cluster->overhead_us, "US", 0.0, any,
                        "host time a message; default 0.2"),
        cli_number_from("--host-gbps", &cluster->host_gbps, "GBPS", 0.0, any,
                        "host arithmetic on float data; 0: free; default 0"),
        cli_count("--radix", &request.switch_radix, "R", 2, 4096,
                  "children of an electrical aggregation node; default 64"),
        cli_number_from("--switch-latency-us", &cluster->switch_latency_us, "US", 0.0, any,
                        "latency of an electrical node; default 0.33"),
        cli_count("--optical-ports", &request.optical_ports, "N", 2, 64,
                  "ports of one optical switch, a power of two; default 4"),
        cli_number_from("--optical-latency-us", &cluster->optical_latency_us, "US", 0.0, any,
                        "latency of one optical switch; default 0.1"),
        cli_number("--optical-gbps", &cluster->optical_gbps, "GBPS", 0.0, any,
                   "rate of a port of the optical switch; default the link's"),
        cli_choice("--alltoall", &alltoall, alltoalls,
                   "how software OptINC sends its codes; default fastest"),
        cli_count("--chunks", &request.chunks, "C", 1, 65536,
                  "chunks of software OptINC, each after the other; default 1"),
        cli_number_from("--compute-ms", &request.compute_ms, "MS", 0.0, any,
                        "compute time of a step: adds the time of a whole step; default none"),
        cli_needs(cli_number_from("--overlap", &request.overlap, "SHARE", 0.0, 1.0,
                                  "share of the compute time in which gradients travel; default 0"),
                  "--compute-ms"),
        cli_text("--points", &request.points_path, "SIMULATED.csv",
                 "simulated all-reduces, of adapters/simgrid/simulate --csv; default none"),
        cli_text("--plot", &request.plot_path, "FILE.svg",
                 "draws the times, by gnuplot, with the points on them; default none"),
        cli_needs(
            cli_choice(
                "--over", &request.plot_axis, axes,
                "what the picture's times are against; size: for the first of --servers; default "
                "servers"),
            "--plot"),
        cli_json_option(&request.json),
    };
    const int model_count = sizeof model / sizeof *model;
    cli_option options[sizeof model / sizeof *model + ENERGY_OPTIONS];
    cli_syntax syntax = {
        .usage = "scale [OPTIONS]",
        .text = "Models how long an all-reduce takes in a cluster, what each server sends and what "
                "energy that takes: float ring, halving and doubling, electrical in-network "
                "aggregation, OptINC in "
                "software and the optical switch. docs/cluster.md has every formula. The model "
                "draws no random numbers.",
        .example = "optinc scale --servers 16,1024,100000 --elements 25000000 --link-gbps 400\n"
                   "optinc scale --servers 4,100000 --plot time.svg\n"
                   "optinc scale --servers 4 --design switch.safetensors --mapping direct "
                   "--device devices/published-best.yaml",
        .options = options,
    };
    int operand_count = 0;

    memcpy(options, model, sizeof model);
    syntax.option_count = model_count + energy_options(&request.energy, options + model_count);
    for (unsigned i = 0; i < OPTINC_ALLTOALL_COUNT; i++)
        alltoalls[i] = optinc_cluster_alltoall_name((optinc_cluster_alltoall)i);
    switch (cli_parse(&syntax, argc, argv, &operand_count)) {
    case CLI_PARSED_HELP:
        return CLI_DONE;
    case CLI_PARSED_WRONG:
        return CLI_BAD_INPUT;
    case CLI_PARSED:
        break;
    }
    cluster->alltoall = (optinc_cluster_alltoall)alltoall;
    return resolve(&request);
}

const cli_command cli_command_scale = {"scale", "models an all-reduce in a cluster of servers",
                                       run};
