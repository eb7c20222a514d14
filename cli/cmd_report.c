/* SPDX-License-Identifier: Apache-2.0 */
/* optinc report: run logs and a design as one page that needs nothing else. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "options.h"
#include "photonic.h"
#include "report.h"

typedef struct report_request {
    cli_photonic hardware;
    const char *output_path;
    const char *design_path;
    const char *cluster_path;
    const char *segments_path;
    const char *title;
    bool json;
    uint32_t run_count;
    char **run_paths;
} report_request;

/* The path as the run was given it, or seen from the folder of the run's folder. */
static char *find_design(const runlog *run)
{
    struct stat status;
    char *folder;
    char *slash;
    char *path;

    if (stat(run->design, &status) == 0)
        return strdup(run->design);
    folder = strdup(run->path);
    if (!folder)
        return NULL;
    slash = strrchr(folder, '/');
    *(slash ? slash : folder) = '\0';
    path = cli_concatenate(slash ? folder : ".", "/../",
                           strrchr(run->design, '/') ? strrchr(run->design, '/') + 1 : run->design);
    free(folder);
    if (path && stat(path, &status) == 0)
        return path;
    free(path);
    return NULL;
}

/* Runs of another design than the page shows would make the page wrong. */
static bool check_checksums(const report *r)
{
    char checksum[20];

    snprintf(checksum, sizeof checksum, "%016" PRIx64, optinc_design_checksum(r->design));
    for (size_t i = 0; i < r->run_count; i++) {
        const runlog *run = &r->runs[i];

        if (*run->design_checksum && strcmp(run->design_checksum, checksum) != 0) {
            cli_error("%s: checksum: found %s, expected %s as in %s", r->design_path, checksum,
                      run->design_checksum, run->path);
            return false;
        }
    }
    return true;
}

/* The one that was asked for, or the first that a log names; *found is malloc'ed. */
static bool load_design(const report_request *request, report *r, char **found)
{
    optinc_status status;

    for (size_t i = 0; i < r->run_count && !request->design_path && !*found; i++) {
        if (!*r->runs[i].design)
            continue;
        *found = find_design(&r->runs[i]);
        if (!*found) {
            cli_error("%s: 'design': found no file '%s', expected one, or --design",
                      r->runs[i].path, r->runs[i].design);
            return false;
        }
    }
    r->design_path = request->design_path ? request->design_path : *found;
    if (!r->design_path)
        return true;
    r->design = cli_load_design(r->design_path);
    if (!r->design || !check_checksums(r))
        return false;
    r->cost_options = (optinc_cost_options){.bias_port = true};
    status = optinc_design_cost_of(r->design, &r->cost_options, &r->cost);
    if (status != OPTINC_OK)
        cli_library_error(status, r->design_path);
    return status == OPTINC_OK;
}

static bool load_runs(const report_request *request, report *r)
{
    for (; r->run_count < request->run_count; r->run_count++) {
        runlog *run = &r->runs[r->run_count];

        if (!runlog_load(request->run_paths[r->run_count], run)) {
            runlog_free(run);
            return false;
        }
    }
    for (size_t i = 0; i < r->run_count && !r->ring; i++)
        if (!runlog_is_optinc(&r->runs[i]))
            r->ring = &r->runs[i];
    return true;
}

static bool write_page(FILE *page, const report *r)
{
    report_head(page, r);
    report_summary(page, r);
    if (r->run_count > 0) {
        if (!report_losses(page, r))
            return false;
        report_traffic(page, r);
        if (!report_errors(page, r))
            return false;
    }
    if (r->choice_count > 0 && !report_segments(page, r))
        return false;
    if (r->design && !report_design(page, r))
        return false;
    if (r->cluster && !report_cluster(page, r))
        return false;
    report_foot(page, r);
    return true;
}

static void print_result(const report_request *request, const report *r)
{
    json_t *object;
    json_t *runs;

    if (!request->json) {
        printf("report  %s\n", request->output_path);
        for (size_t i = 0; i < r->run_count; i++)
            printf("run     %s, seed %" PRIu64 ", %zu steps\n", r->runs[i].path, r->runs[i].seed,
                   r->runs[i].step_count);
        if (r->design)
            printf("design  %s, %" PRIu64 " MZIs\n", r->design_path, r->cost.mzis);
        if (r->cluster)
            printf("cluster %s, %zu simulated points\n", r->cluster_path, r->cluster->point_count);
        return;
    }
    object = json_object();
    runs = json_array();
    for (size_t i = 0; i < r->run_count; i++) {
        json_t *run = json_object();

        cli_json_set(run, "path", json_string(r->runs[i].path));
        cli_json_set(run, "seed", cli_json_count(r->runs[i].seed));
        cli_json_set(run, "steps", cli_json_count(r->runs[i].step_count));
        cli_json_set(run, "loss_difference",
                     cli_json_number(report_loss_difference(r, &r->runs[i])));
        cli_json_set(run, "traffic_share", cli_json_number(report_traffic_share(r, &r->runs[i])));
        cli_json_set(run, "error_share", cli_json_number(report_error_share(&r->runs[i])));
        json_array_append_new(runs, run);
    }
    cli_json_set(object, "report", json_string(request->output_path));
    cli_json_set(object, "runs", runs);
    cli_json_set(object, "design", r->design ? json_string(r->design_path) : json_null());
    if (r->design)
        cli_json_set(object, "mzis", cli_json_count(r->cost.mzis));
    if (r->cluster)
        cli_json_set(object, "points", cli_json_count(r->cluster->point_count));
    cli_print_json(object);
}

static int make_report(const report_request *request)
{
    runlog *runs = calloc(request->run_count + 1u, sizeof *runs);
    report r = {.title = request->title, .runs = runs};
    cluster_study study = {0};
    char *found = NULL;
    cli_output output;
    int code = CLI_BAD_INPUT;

    if (!runs) {
        cli_error("out of memory");
        return CLI_BAD_INPUT;
    }
    if (!cli_photonic_resolve(&request->hardware, &r.hardware))
        goto out;
    r.eyes = cli_photonic_told(&request->hardware);
    if (request->cluster_path) {
        r.cluster = &study;
        r.cluster_path = request->cluster_path;
    }
    if (request->segments_path && !report_segments_load(&r, request->segments_path))
        goto out;
    if (!load_runs(request, &r) || !load_design(request, &r, &found) ||
        (r.cluster && !cluster_study_load(&study, r.cluster_path)) ||
        !cli_output_open(&output, request->output_path))
        goto out;
    if (!write_page(output.stream, &r)) {
        cli_output_abandon(&output);
        goto out;
    }
    if (!cli_output_commit(&output))
        goto out;
    print_result(request, &r);
    code = CLI_DONE;
out:
    cluster_study_free(&study);
    optinc_design_destroy(&r.design);
    for (size_t i = 0; i < r.run_count; i++)
        runlog_free(&runs[i]);
    free(runs);
    free(found);
    return code;
}

static int run(int argc, char **argv)
{
    report_request request = {0};
    cli_option options[CLI_PHOTONIC_OPTIONS + 6];
    int count = cli_photonic_options(&request.hardware, options);
    cli_syntax syntax = {
        .usage = "report [RUN...] -o PAGE.html [--design DESIGN] [--cluster SCALE.json] [OPTIONS]",
        .text =
            "Turns run logs (files, or folders that hold log.jsonl) and a design into one "
            "HTML page with pictures: losses, traffic, quantisation error, the switch with every "
            "MZI and its phases and, with components or faults given, the eyes at its receivers; "
            "and "
            "many servers. Needs gnuplot.",
        .example = "optinc report demo/ring demo/optinc -o report.html\n"
                   "optinc report --design switch.safetensors --phase-sigma 0.01 -o switch.html\n"
                   "optinc report --cluster scale.json --segments table.csv -o page.html",
        .options = options,
        .operand_name = "RUN",
        .operands_max = (int)REPORT_RUNS_MAX,
    };
    int operand_count;

    options[count++] = cli_output_option(&request.output_path, "PAGE.html", "the page");
    options[count++] = cli_text("--design", &request.design_path, "DESIGN",
                                "the switch; default the one that a log names");
    options[count++] = cli_text("--cluster", &request.cluster_path, "SCALE.json",
                                "many servers: what 'optinc scale --json' printed; default none");
    options[count++] =
        cli_text("--segments", &request.segments_path, "TABLE.csv",
                 "what 'optinc segments' saved: MZIs and accuracy by choice; default none");
    options[count++] =
        cli_text("--title", &request.title, "TEXT", "title of the page; default OptINC report");
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
    if (operand_count == 0 && !request.design_path && !request.cluster_path &&
        !request.segments_path)
        return cli_error("found neither a RUN nor --design nor --cluster nor --segments, expected "
                         "one of them");
    request.run_count = (uint32_t)operand_count;
    request.run_paths = argv;
    return make_report(&request);
}

const cli_command cli_command_report = {
    .name = "report", .summary = "makes a page with pictures from runs and a design", .run = run};
