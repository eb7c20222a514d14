/* SPDX-License-Identifier: Apache-2.0 */
/* optinc verify: proves a design anew from its layers, whatever its file says of itself. */
#include <string.h>

#include "cli.h"
#include "describe.h"
#include "faults.h"
#include "options.h"

#define VERIFY_OPTIONS 12 /* without those of faults */
#define PATH_SIZE 4096

typedef struct verify_request {
    uint64_t cases_max;
    uint64_t samples;
    uint64_t seed;
    uint64_t threads;
    uint64_t servers; /* in use; 0: on every port */
    const char *checkpoint;
    uint64_t checkpoint_interval; /* s; 0: default */
    bool resume;
    bool progress;
    cli_faults faults;
    bool without_residuals;
    const char *path;
    const char *output; /* NULL: none */
    bool json;
} verify_request;

typedef struct verify_outcome {
    optinc_verify_result levels[OPTINC_LEVELS_MAX];
    optinc_proof whole;
    uint64_t table_entries;    /* of all levels */
    uint64_t table_mismatches; /* entries that are not what the layers answer */
    optinc_fault_proof faults;
    optinc_rounding_loss loss;
} verify_outcome;

/* The table backend believes the table, so it is proved too. */
static optinc_status check_table(const optinc_design *design, uint32_t level,
                                 verify_outcome *outcome)
{
    const optinc_unit *unit = optinc_design_unit(design, level);
    uint32_t *table = NULL;
    size_t count = 0;
    optinc_status status;

    if (!unit->table)
        return OPTINC_OK;
    cli_progress_start("check the table");
    status =
        optinc_tabulate(design, level, unit->table_count, &cli_progress, &cli_log, &table, &count);
    cli_progress_stop();
    for (size_t i = 0; status == OPTINC_OK && i < count; i++)
        outcome->table_mismatches += table[i] != unit->table[i];
    outcome->table_entries += count;
    optinc_table_free(&table);
    return status;
}

/* One file a level, FILE.L in a cascade. There need not be one of a level that was not reached. */
static bool set_checkpoint(const verify_request *request, uint32_t level, uint32_t level_count,
                           char path[PATH_SIZE], optinc_verify_options *options)
{
    int length;

    if (!request->checkpoint)
        return true;
    length = level_count == 1 ? snprintf(path, PATH_SIZE, "%s", request->checkpoint)
                              : snprintf(path, PATH_SIZE, "%s.%u", request->checkpoint, level);
    if (length < 0 || length >= PATH_SIZE) {
        cli_error("--checkpoint: the name is too long");
        return false;
    }
    options->checkpoint = path;
    options->resume = request->resume && level == 0;
    return cli_check_replaceable(path);
}

static optinc_status verify_levels(const optinc_design *design, const verify_request *request,
                                   verify_outcome *outcome)
{
    optinc_verify_options options = {.exhaustive_cases_max = request->cases_max,
                                     .sample_count = request->samples,
                                     .seed = request->seed,
                                     .thread_count = (uint32_t)request->threads,
                                     .checkpoint_interval_s = (double)request->checkpoint_interval};
    uint32_t level_count = optinc_design_level_count(design);
    optinc_proof proofs[OPTINC_LEVELS_MAX];
    optinc_status status = OPTINC_OK;

    for (uint32_t level = 0; level < level_count && status == OPTINC_OK; level++) {
        char checkpoint[PATH_SIZE];

        if (!set_checkpoint(request, level, level_count, checkpoint, &options))
            return OPTINC_ERR_UNSUPPORTED; /* what is wrong has been printed */
        cli_progress_start("verify");
        status = optinc_verify(design, level, &options, &cli_progress, &cli_log,
                               &outcome->levels[level]);
        cli_progress_stop();
        if (status == OPTINC_ERR_INTERRUPTED && options.checkpoint)
            cli_note("%s: what %llu cases gave; the same command continues it", options.checkpoint,
                     (unsigned long long)outcome->levels[level].cases_done);
        proofs[level] = outcome->levels[level].best;
        if (status == OPTINC_OK)
            status = check_table(design, level, outcome);
    }
    if (status == OPTINC_OK)
        outcome->whole = cli_combine_proofs(proofs, level_count);
    return status;
}

/* What the faults leave, with the levels' proofs as they have just been found. */
static optinc_status verify_faults(optinc_design *design, verify_request *request,
                                   verify_outcome *outcome)
{
    optinc_verify_options options = {.exhaustive_cases_max = request->cases_max,
                                     .seed = request->seed,
                                     .thread_count = (uint32_t)request->threads};
    uint32_t servers = request->servers ? (uint32_t)request->servers : optinc_design_ports(design);
    optinc_status status = OPTINC_OK;

    for (uint32_t level = 0; level < optinc_design_level_count(design) && !status; level++)
        status = optinc_design_set_proof(design, level, &outcome->levels[level].best);
    if (status != OPTINC_OK)
        return status;
    if (!cli_faults_resolve(&request->faults, design, servers))
        return OPTINC_ERR_UNSUPPORTED; /* what is wrong has been printed */
    if (!request->faults.any)
        return OPTINC_OK;
    return optinc_verify_faults(design, servers, &request->faults.faults, &options, &cli_log,
                                &outcome->faults);
}

/* The same tree of switches that all round. */
static optinc_status measure_loss(const optinc_design *design, optinc_rounding_loss *loss)
{
    optinc_cascade cascade = {.level_count = optinc_design_level_count(design),
                              .bits = optinc_design_bits(design),
                              .variant = optinc_design_flat_spec(design).variant};

    for (uint32_t level = 0; level < cascade.level_count; level++)
        cascade.ports[level] = optinc_design_unit(design, level)->spec.ports;
    return optinc_cascade_rounding_loss(&cascade, &cli_log, loss);
}

static void json_loss(const optinc_rounding_loss *loss, json_t *object)
{
    json_t *own = json_object();

    cli_json_set(own, "wrong", cli_json_number(loss->wrong));
    cli_json_set(own, "mean", cli_json_number(loss->mean));
    cli_json_set(own, "off_min", cli_json_number(loss->off_min));
    cli_json_set(own, "off_max", cli_json_number(loss->off_max));
    cli_json_set(own, "bias", cli_json_number(loss->bias));
    cli_json_set(own, "bias_flat", cli_json_number(loss->bias_flat));
    cli_json_set(own, "rms", cli_json_number(loss->rms));
    cli_json_set(own, "rms_flat", cli_json_number(loss->rms_flat));
    cli_json_set(object, "without_residuals", own);
}

static void print_loss(const optinc_rounding_loss *loss)
{
    printf("without residuals, every level rounding, of all code vectors:\n"
           "wrong          %.6g %%, off by %g to %g, %.6g on average\n"
           "bias           %.6g code steps from the exact mean; with residuals %.6g\n"
           "rms            %.6g code steps from the exact mean; with residuals %.6g\n",
           100 * loss->wrong, loss->off_min, loss->off_max, loss->mean, loss->bias, loss->bias_flat,
           loss->rms, loss->rms_flat);
}

static void json_faults(const verify_request *request, const optinc_design *design,
                        const optinc_fault_proof *proof, json_t *object)
{
    json_t *own = cli_json_proof(&proof->units);

    cli_faults_json(&request->faults, design, own);
    cli_json_set(own, "kinds", json_integer(proof->kinds));
    cli_json_set(own, "elements", cli_json_count(proof->elements));
    cli_json_set(own, "elements_wrong", cli_json_count(proof->elements_wrong));
    cli_json_set(own, "exact", json_boolean(proof->exact));
    cli_json_set(object, "faults", own);
}

static void print_faults(const verify_request *request, const optinc_design *design,
                         const optinc_fault_proof *proof)
{
    char count[2][CLI_COUNT_TEXT_SIZE];

    cli_faults_print(&request->faults, design, 14);
    printf("with faults    %s, %s cases of the %u kinds of switch that meet them, %llu errors\n"
           "whole tree     %s random elements, %llu not the reference's of what is left\n"
           "               %s\n",
           cli_proof_name(proof->units.kind), cli_count_text(proof->units.cases, count[0]),
           proof->kinds, (unsigned long long)proof->units.errors,
           cli_count_text(proof->elements, count[1]), (unsigned long long)proof->elements_wrong,
           proof->exact ? "exact: the reference's result in every case" : "not proved exact");
}

static json_t *json_level(const optinc_design *design, uint32_t level,
                          const optinc_verify_result *result)
{
    const optinc_proof *parts[] = {&result->exhaustive, &result->compositional, &result->sampled};
    uint32_t digits = optinc_spec_digits_out(&optinc_design_unit(design, level)->spec);
    json_t *object = cli_json_proof(&result->best);
    json_t *errors = json_array();

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i]->kind != OPTINC_PROOF_NONE)
            cli_json_set(object, cli_proof_name(parts[i]->kind), cli_json_proof(parts[i]));
    for (uint32_t j = 0; j < digits; j++)
        json_array_append_new(errors, cli_json_count(result->digit_errors[j]));
    cli_json_set(object, "digit_errors", errors);
    cli_json_set(object, "seconds", cli_json_number(result->seconds));
    return object;
}

static void print_json(const verify_request *request, const optinc_design *design,
                       const verify_outcome *outcome)
{
    json_t *object = cli_json_proof(&outcome->whole);
    json_t *levels = json_array();
    double seconds = 0.0;

    for (uint32_t level = 0; level < optinc_design_level_count(design); level++) {
        json_array_append_new(levels, json_level(design, level, &outcome->levels[level]));
        seconds += outcome->levels[level].seconds;
    }
    cli_json_set(object, "design", json_string(request->path));
    cli_json_set(object, "levels", levels);
    cli_json_set(object, "table_entries", cli_json_count(outcome->table_entries));
    cli_json_set(object, "table_mismatches", cli_json_count(outcome->table_mismatches));
    cli_json_set(object, "seconds", cli_json_number(seconds));
    cli_json_set(object, "seed", cli_json_count(request->seed));
    if (request->faults.any)
        json_faults(request, design, &outcome->faults, object);
    if (request->without_residuals)
        json_loss(&outcome->loss, object);
    cli_print_json(object);
}

static void print_text(const verify_request *request, const optinc_design *design,
                       const verify_outcome *outcome, bool met)
{
    char text[CLI_PROOF_TEXT_SIZE];
    char count[CLI_COUNT_TEXT_SIZE];
    uint32_t level_count = optinc_design_level_count(design);

    printf("design         %s\n", request->path);
    for (uint32_t level = 0; level < level_count; level++) {
        const optinc_verify_result *result = &outcome->levels[level];
        const optinc_proof *parts[] = {&result->exhaustive, &result->compositional,
                                       &result->sampled};

        if (level_count > 1)
            printf("level %u\n", level);
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
            if (parts[i]->kind != OPTINC_PROOF_NONE)
                printf("proof          %s\n", cli_proof_text(parts[i], text));
        printf("seconds        %.3f\n", result->seconds);
    }
    if (outcome->table_entries > 0)
        printf("table          %s entries, %llu differ from the layers\n",
               cli_count_text(outcome->table_entries, count),
               (unsigned long long)outcome->table_mismatches);
    if (request->faults.any)
        print_faults(request, design, &outcome->faults);
    if (request->without_residuals)
        print_loss(&outcome->loss);
    printf("seed           %llu\nresult         %s\n", (unsigned long long)request->seed,
           !met                   ? "does not meet its spec"
           : outcome->whole.exact ? "exact: meets its spec in every case"
                                  : "no error found in the samples; not proved exact");
}

/* The design with what was found of its levels; the backend exact takes it if that says exact. */
static optinc_status save(optinc_design *design, const verify_outcome *outcome, const char *path)
{
    optinc_status status = OPTINC_OK;

    for (uint32_t level = 0; level < optinc_design_level_count(design) && !status; level++)
        status = optinc_design_set_proof(design, level, &outcome->levels[level].best);
    return status ? status : optinc_design_save(design, path, &cli_log);
}

static int verify(verify_request *request)
{
    optinc_design *design = cli_load_design(request->path);
    verify_outcome outcome;
    optinc_status status;
    bool met, claims_exact;

    if (!design)
        return CLI_BAD_INPUT;
    memset(&outcome, 0, sizeof outcome);
    claims_exact = optinc_design_exact(design);
    status = OPTINC_OK;
    if (request->without_residuals) /* quick, and refuses what it cannot do before the proofs */
        status = measure_loss(design, &outcome.loss);
    if (status == OPTINC_OK)
        status = verify_levels(design, request, &outcome);
    if (status == OPTINC_OK)
        status = verify_faults(design, request, &outcome);
    if (status == OPTINC_OK && request->output)
        status = save(design, &outcome, request->output);
    if (status != OPTINC_OK) {
        cli_faults_free(&request->faults);
        optinc_design_destroy(&design);
        return status == OPTINC_ERR_UNSUPPORTED ? CLI_BAD_INPUT
                                                : cli_library_error(status, request->path);
    }
    met = outcome.whole.kind != OPTINC_PROOF_NONE && outcome.whole.errors == 0 &&
          outcome.table_mismatches == 0 &&
          (!request->faults.any ||
           (outcome.faults.units.errors == 0 && outcome.faults.elements_wrong == 0));
    if (request->json)
        print_json(request, design, &outcome);
    else
        print_text(request, design, &outcome, met);
    if (claims_exact && outcome.whole.errors > 0)
        cli_note("%s: its file says exact, its layers are not", request->path);
    cli_faults_free(&request->faults);
    optinc_design_destroy(&design);
    return met ? CLI_DONE : CLI_SPEC_NOT_MET;
}

static cli_option output_option(const char **path)
{
    cli_option option =
        cli_output_option(path, "FILE", "the design with the proofs that were found; default none");

    option.required = false;
    return option;
}

static int run(int argc, char **argv)
{
    verify_request request = {.seed = 1};
    cli_option options[VERIFY_OPTIONS + CLI_FAULTS_OPTIONS] = {
        cli_count("--exhaustive-max", &request.cases_max, "CASES", 1, INT64_MAX,
                  "most cases that are all run; default 268435456 (2^28)"),
        cli_count("--samples", &request.samples, "COUNT", 1, INT64_MAX,
                  "random cases where nothing better is possible; default 1000000"),
        cli_count("--threads", &request.threads, "T", 1, 1024, "threads; default all cores"),
        cli_text("--checkpoint", &request.checkpoint, "FILE",
                 "continue the cases' run from FILE if it exists; kept in it now and then, at the "
                 "end and when interrupted; default none"),
        cli_needs(cli_count("--checkpoint-interval", &request.checkpoint_interval, "SECONDS", 1,
                            1u << 24, "between two savings; default 30"),
                  "--checkpoint"),
        cli_needs(
            cli_flag("--resume", &request.resume, "there has to be a checkpoint to continue from"),
            "--checkpoint"),
        cli_flag("--progress", &request.progress,
                 "prints a line every 10 s where stderr is no terminal"),
        cli_needs(cli_count("--servers", &request.servers, "K", 1, 1u << 20,
                            "with faults: servers in use, on the first ports; default all"),
                  CLI_FAULTS_NEEDED),
        output_option(&request.output),
        cli_flag("--without-residuals", &request.without_residuals,
                 "of a cascade: what would be lost if every level rounded"),
        cli_seed_option(&request.seed, "of the samples; default 1"),
        cli_json_option(&request.json),
    };
    const cli_syntax syntax = {
        .usage = "verify DESIGN [OPTIONS]",
        .text = "Proves what a design computes, from its layers alone: exhaustively where the "
                "cases can be counted through, stage by stage for constructed designs, by "
                "samples where nothing better is possible; and says which. With faults, what is "
                "left is proved against the reference of the servers that are left.",
        .example = "optinc verify switch.safetensors\n"
                   "optinc verify trained16.safetensors --exhaustive-max 1000000000 --checkpoint "
                   "run.ck\n"
                   "optinc verify switch.safetensors --dark-ports 1 --on-dark rescale",
        .options = options,
        .option_count = (int)(sizeof options / sizeof options[0]),
        .operand_name = "DESIGN",
        .operands_min = 1,
        .operands_max = 1,
    };
    int operand_count;

    cli_faults_describe(&request.faults, options + VERIFY_OPTIONS);
    switch (cli_parse(&syntax, argc, argv, &operand_count)) {
    case CLI_PARSED_HELP:
        return CLI_DONE;
    case CLI_PARSED_WRONG:
        return CLI_BAD_INPUT;
    case CLI_PARSED:
        break;
    }
    request.path = argv[0];
    if (request.output && !cli_check_replaceable(request.output))
        return CLI_BAD_INPUT;
    cli_progress_lines(request.progress);
    return verify(&request);
}

const cli_command cli_command_verify = {
    .name = "verify", .summary = "proves what a design computes", .run = run};
