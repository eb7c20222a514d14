/* SPDX-License-Identifier: Apache-2.0 */
/* optinc design: from a wish to a design file, proved and tabulated on the way. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "describe.h"
#include "options.h"
#include "train_cascade.h"
#include "training.h"

/* Cases up to which the design file carries what the ONN answers in each of them (4 MiB). */
#define TABLE_CASES_MAX ((uint64_t)1 << 20)
/* Cases up to which a level is proved exhaustively as well; `optinc verify` goes on to 2^28. */
#define PROVE_CASES_MAX ((uint64_t)1 << 20)

#define OPTION_COUNT 13 /* without those of training */

typedef struct design_request {
    uint64_t servers;
    uint64_t bits;
    uint64_t levels;
    int method; /* index into methods */
    int activation;
    int variant;
    double gap;
    double error_rate; /* to inject; 0: none */
    uint64_t seed;
    const char *path;
    bool json;
    const char *split;        /* ports of the levels, as 4x8; NULL: as equal as they can be */
    const char *level_epochs; /* of a trained cascade */
    cli_training training;
    optinc_train_result trained[OPTINC_LEVELS_MAX]; /* of a trained design */
} design_request;

static const char *const methods[] = {"constructed", "trained", NULL};
static const char *const activations[] = {"saturating", "relu", NULL};
static const char *const variants[] = {"half-up", "stochastic", NULL};

static bool is_trained(const design_request *request)
{
    return strcmp(methods[request->method], "trained") == 0;
}

static optinc_variant variant_of(const design_request *request)
{
    return request->variant == 1 ? OPTINC_VARIANT_STOCHASTIC : OPTINC_VARIANT_HALF_UP;
}

/* "4x8", servers first, to ports; levels and their product are compared with what else was said. */
static bool read_split(const design_request *request, optinc_cascade *cascade)
{
    const char *text = request->split;
    uint64_t servers = 1;
    uint32_t count = 0;

    for (;;) {
        char *end = NULL;
        unsigned long ports = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;

        if (!end || count == OPTINC_LEVELS_MAX || ports > 64 || (*end && *end != 'x')) {
            cli_error(
                "--split: found '%s', expected the ports of 1 to %u levels as 4x8, each 2, 4, "
                "8, 16, 32 or 64",
                request->split, OPTINC_LEVELS_MAX);
            return false;
        }
        cascade->ports[count++] = (uint32_t)ports;
        servers *= ports; /* at most 64^8 */
        if (!*end)
            break;
        text = end + 1;
    }
    if ((request->levels && request->levels != count) || servers != request->servers) {
        cli_error("--split: found '%s', %u levels of %llu servers, expected %llu levels of %llu",
                  request->split, count, (unsigned long long)servers,
                  (unsigned long long)(request->levels ? request->levels : count),
                  (unsigned long long)request->servers);
        return false;
    }
    cascade->level_count = count;
    return true;
}

/* Levels and their ports as they were asked for; prints what is wrong. */
static bool plan_cascade(const design_request *request, optinc_cascade *cascade)
{
    cli_about about;

    *cascade = (optinc_cascade){.level_count = request->levels ? (uint32_t)request->levels : 1,
                                .bits = (uint32_t)request->bits,
                                .variant = variant_of(request)};
    if (request->split)
        return read_split(request, cascade);
    return optinc_cascade_split(request->servers, cascade->level_count,
                                cli_log_about(&about, "--servers"), cascade->ports) == OPTINC_OK;
}

/* One switch, or a tree of them if more than one level is wanted. */
static optinc_status make_constructed(const design_request *request, const optinc_cascade *cascade,
                                      optinc_design **design)
{
    optinc_construct_options options = {
        .activation =
            request->activation == 1 ? OPTINC_ACTIVATION_RELU : OPTINC_ACTIVATION_SATURATING,
        .gap = request->gap,
    };
    optinc_verify_options verify = {.exhaustive_cases_max = PROVE_CASES_MAX, .seed = request->seed};
    optinc_spec spec;
    optinc_status status;

    if (cascade->level_count == 1) {
        status =
            optinc_spec_single(cascade->ports[0], cascade->bits, cascade->variant, &cli_log, &spec);
        return status == OPTINC_OK ? optinc_construct(&spec, &options, &cli_log, design) : status;
    }
    cli_progress_start("construct and prove");
    status = optinc_synthesise_cascade(cascade, &options, &verify, &cli_progress, &cli_log, design);
    cli_progress_stop();
    return status;
}

static optinc_status make_trained(design_request *request, const optinc_cascade *cascade,
                                  optinc_design **design)
{
    optinc_activation activation =
        request->activation == 0 ? OPTINC_ACTIVATION_SATURATING : OPTINC_ACTIVATION_RELU;
    optinc_train_watch watch = cli_training_watch(&request->training);
    optinc_train_options options;
    optinc_spec spec;
    optinc_status status;

    if (cascade->level_count > 1)
        return cli_train_cascade(&request->training, request->level_epochs, cascade, activation,
                                 request->seed, request->trained, design);
    if (request->level_epochs) {
        cli_error("--level-epochs: expected with a cascade of trained levels alone (--levels)");
        return OPTINC_ERR_UNSUPPORTED;
    }
    if (request->training.checkpoint && !cli_check_replaceable(request->training.checkpoint))
        return OPTINC_ERR_UNSUPPORTED; /* what is wrong has been printed */
    status =
        optinc_spec_single(cascade->ports[0], cascade->bits, cascade->variant, &cli_log, &spec);
    if (status != OPTINC_OK)
        return status;
    if (!cli_training_options_of(&request->training, &spec, activation, request->seed, &options))
        return OPTINC_ERR_INVALID_ARGUMENT;
    status = optinc_train(&spec, &options, &watch, &cli_log, &request->trained[0], design);
    cli_training_watch_end();
    if (status == OPTINC_ERR_INTERRUPTED && request->training.checkpoint)
        cli_note("%s: the training as it was after epoch %llu; --resume continues it",
                 request->training.checkpoint, (unsigned long long)request->trained[0].epochs);
    return status;
}

/* Makes the design that was asked for; proofs and tables may still be missing. */
static optinc_status make(design_request *request, optinc_design **design)
{
    optinc_cascade cascade;

    if (!plan_cascade(request, &cascade))
        return OPTINC_ERR_UNSUPPORTED; /* what is wrong has been printed */
    return is_trained(request) ? make_trained(request, &cascade, design)
                               : make_constructed(request, &cascade, design);
}

/* Proves a level that whoever made it has not proved yet. */
static optinc_status prove_level(optinc_design *design, uint32_t level, uint64_t seed,
                                 optinc_proof *proof)
{
    optinc_verify_options options = {.exhaustive_cases_max = PROVE_CASES_MAX, .seed = seed};
    optinc_verify_result result;
    optinc_status status;

    *proof = optinc_design_unit(design, level)->proof;
    if (proof->kind != OPTINC_PROOF_NONE)
        return OPTINC_OK;
    cli_progress_start("prove");
    status = optinc_verify(design, level, &options, &cli_progress, &cli_log, &result);
    cli_progress_stop();
    if (status != OPTINC_OK)
        return status;
    *proof = result.best;
    return optinc_design_set_proof(design, level, proof);
}

static optinc_status tabulate_level(optinc_design *design, uint32_t level)
{
    const optinc_unit *unit = optinc_design_unit(design, level);
    const optinc_spec *spec = &unit->spec;
    uint64_t cases = optinc_spec_case_count(spec);
    unsigned offset_log2 = spec->variant == OPTINC_VARIANT_STOCHASTIC ? spec->divisor_log2 : 0;
    uint32_t *table = NULL;
    size_t count = 0;
    optinc_status status;

    if (unit->table || cases > TABLE_CASES_MAX >> offset_log2 || spec->bits_out > 32)
        return OPTINC_OK;
    cli_progress_start("tabulate");
    status = optinc_tabulate(design, level, (size_t)TABLE_CASES_MAX, &cli_progress, &cli_log,
                             &table, &count);
    cli_progress_stop();
    if (status == OPTINC_OK)
        status = optinc_design_set_table(design, level, table, count);
    optinc_table_free(&table);
    return status;
}

static optinc_status finish_design(optinc_design *design, uint64_t seed, optinc_proof *whole)
{
    optinc_proof proofs[OPTINC_LEVELS_MAX];
    uint32_t level_count = optinc_design_level_count(design);
    optinc_status status = OPTINC_OK;

    for (uint32_t level = 0; level < level_count && status == OPTINC_OK; level++) {
        status = prove_level(design, level, seed, &proofs[level]);
        if (status == OPTINC_OK)
            status = tabulate_level(design, level);
    }
    if (status == OPTINC_OK)
        *whole = cli_combine_proofs(proofs, level_count);
    return status;
}

/* Proofs and tables, then the errors that were asked for. */
static optinc_status finish(const design_request *request, optinc_design *design,
                            optinc_proof *proof)
{
    optinc_status status = finish_design(design, request->seed, proof);

    if (status != OPTINC_OK || request->error_rate <= 0.0)
        return status;
    status = optinc_design_inject_errors(design, 0, request->error_rate, NULL, request->seed,
                                         &cli_log, NULL);
    if (status == OPTINC_OK)
        *proof = optinc_design_unit(design, 0)->proof;
    return status;
}

static double accuracy_of(const optinc_proof *proof)
{
    if (proof->kind == OPTINC_PROOF_NONE || proof->cases == 0)
        return NAN;
    return 1.0 - (double)proof->errors / (double)proof->cases;
}

static void print_training(const design_request *request, const optinc_design *design)
{
    uint32_t level_count = optinc_design_level_count(design);

    for (uint32_t level = 0; is_trained(request) && level < level_count; level++) {
        char text[CLI_PROOF_TEXT_SIZE];

        if (level_count > 1)
            printf("level %u   %" PRIu64 " of them, %s\n", level, cli_units_of_level(design, level),
                   cli_proof_text(&optinc_design_unit(design, level)->proof, text));
        cli_training_print(&request->trained[level]);
    }
}

/* An object, or of a cascade an array with one a level. */
static json_t *json_training(const design_request *request, const optinc_design *design)
{
    uint32_t level_count = optinc_design_level_count(design);
    json_t *levels;

    if (level_count == 1)
        return cli_training_json(&request->trained[0],
                                 optinc_spec_digits_out(&optinc_design_unit(design, 0)->spec));
    levels = json_array();
    for (uint32_t level = 0; level < level_count; level++)
        json_array_append_new(
            levels,
            cli_training_json(&request->trained[level],
                              optinc_spec_digits_out(&optinc_design_unit(design, level)->spec)));
    return levels;
}

static void print_result(const design_request *request, const optinc_design *design,
                         const optinc_proof *proof, const optinc_design_cost *cost, double seconds)
{
    char text[CLI_PROOF_TEXT_SIZE];
    char count[CLI_COUNT_TEXT_SIZE];
    const char *activation = request->activation == 1 ? "relu" : "saturating";
    json_t *object;

    if (request->activation < 0 && is_trained(request))
        activation = "relu";
    if (!request->json) {
        printf("design    %s\nservers   %llu\nbits      %llu\nmethod    %s, %s\nmzis      %s (%.4g "
               "mm2)\nproof     %s\naccuracy  %.9g\nseconds   %.3f\nseed      %llu\n",
               request->path, (unsigned long long)request->servers,
               (unsigned long long)request->bits, methods[request->method], activation,
               cli_count_text(cost->mzis, count), cost->area_mm2, cli_proof_text(proof, text),
               accuracy_of(proof), seconds, (unsigned long long)request->seed);
        print_training(request, design);
        return;
    }
    object = cli_json_proof(proof);
    cli_json_set(object, "design", json_string(request->path));
    cli_json_set(object, "servers", cli_json_count(request->servers));
    cli_json_set(object, "bits", cli_json_count(request->bits));
    cli_json_set(object, "method", json_string(methods[request->method]));
    cli_json_set(object, "activation", json_string(activation));
    cli_json_set(object, "variant", json_string(variants[request->variant]));
    cli_json_set(object, "mzis", cli_json_count(cost->mzis));
    cli_json_set(object, "area_mm2", cli_json_number(cost->area_mm2));
    cli_json_set(object, "accuracy", cli_json_number(accuracy_of(proof)));
    cli_json_set(object, "seconds", cli_json_number(seconds));
    cli_json_set(object, "seed", cli_json_count(request->seed));
    if (is_trained(request))
        cli_json_set(object, "training", json_training(request, design));
    cli_print_json(object);
}

static int design_and_save(design_request *request)
{
    double start = cli_seconds();
    optinc_design *design = NULL;
    optinc_design_cost cost;
    optinc_proof proof;
    optinc_status status;
    int code;

    if (!cli_check_replaceable(request->path))
        return CLI_BAD_INPUT;
    status = make(request, &design);
    if (status == OPTINC_ERR_UNSUPPORTED)
        return CLI_BAD_INPUT;
    if (status == OPTINC_OK)
        status = finish(request, design, &proof);
    if (status == OPTINC_OK)
        status = optinc_design_cost_of(design, NULL, &cost);
    if (status == OPTINC_OK)
        status = optinc_design_save(design, request->path, &cli_log);
    if (status != OPTINC_OK) {
        code = cli_library_error(status, request->path);
        goto out; /* the design is ours */
    }
    print_result(request, design, &proof, &cost, cli_seconds() - start);
    code = proof.errors == 0 ? CLI_DONE : CLI_SPEC_NOT_MET;
    if (code == CLI_SPEC_NOT_MET)
        cli_note("%s: saved, but it does not meet its spec", request->path);
out:
    optinc_design_destroy(&design);
    return code;
}

static int run(int argc, char **argv)
{
    design_request request = {
        .method = -1, .activation = -1, .gap = 0.5, .seed = 1, .training = cli_training_default()};
    cli_option options[OPTION_COUNT + CLI_TRAINING_OPTIONS] = {
        cli_required(cli_count("--servers", &request.servers, "N", 1, 1u << 20,
                               "ports: 2, 4, 8, 16, 32 or 64 of one switch, more of a cascade")),
        cli_required(cli_even(cli_count("--bits", &request.bits, "B", 2, 32,
                                        "bits of a gradient code: even, 2 to 32"))),
        cli_required(cli_choice("--method", &request.method, methods, "how the ONN is made")),
        cli_output_option(&request.path, "FILE", "the design file, safetensors"),
        cli_choice("--activation", &request.activation, activations,
                   "of the hidden units; default saturating, relu if trained"),
        cli_needs(cli_number("--gap", &request.gap, "G", 0.0, 1.0,
                             "width of a step's slope, between 0 and 1; default 0.5"),
                  "--method constructed"),
        cli_choice("--variant", &request.variant, variants,
                   "rounding of the average; default half-up"),
        cli_number("--error-rate", &request.error_rate, "R", 0.0, 1.0,
                   "share of cases that are made wrong in one digit; default none"),
        cli_count("--levels", &request.levels, "L", 1, OPTINC_LEVELS_MAX,
                  "levels of a cascade: residual switches below one that rounds; default 1"),
        cli_text("--split", &request.split, "PORTS",
                 "ports of the levels' switches, the servers' first, as 4x8; default as equal as "
                 "they can be"),
        cli_needs(cli_text("--level-epochs", &request.level_epochs, "EPOCHS",
                           "of trained cascades: --epochs of each level, as 300/120, default all "
                           "alike; --structure "
                           "and --segment "
                           "take such lists, too"),
                  "--method trained"),
        cli_seed_option(&request.seed, "of everything random; default 1"),
        cli_json_option(&request.json),
    };
    const cli_syntax syntax = {
        .usage = "design --servers N --bits B --method constructed|trained -o FILE [OPTIONS]",
        .text = "Makes a switch that averages the B-bit gradient codes of N servers: builds or "
                "trains its optical neural network, proves what it computes, and saves both as "
                "a design file.",
        .example =
            "optinc design --servers 4 --bits 8 --method constructed -o switch.safetensors\n"
            "optinc design --servers 4 --bits 8 --method trained --seed 3 -o trained.safetensors\n"
            "optinc design --servers 16 --levels 2 --bits 8 --method constructed -o "
            "tree.safetensors",
        .options = options,
        .option_count = (int)(sizeof options / sizeof options[0]),
    };
    int operand_count;

    cli_training_describe(&request.training, options + OPTION_COUNT);
    for (int i = OPTION_COUNT; i < syntax.option_count; i++)
        if (!options[i].needs)
            options[i].needs = "--method trained";
    switch (cli_parse(&syntax, argc, argv, &operand_count)) {
    case CLI_PARSED_HELP:
        return CLI_DONE;
    case CLI_PARSED_WRONG:
        return CLI_BAD_INPUT;
    case CLI_PARSED:
        break;
    }
    return design_and_save(&request);
}

const cli_command cli_command_design = {
    .name = "design",
    .summary = "makes a design: constructs or trains it, and proves it",
    .run = run};
