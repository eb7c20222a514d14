/* SPDX-License-Identifier: Apache-2.0 */
/* optinc segments: what segmenting layers costs and saves, a row a choice of layers. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "training.h"

#define OWN_OPTIONS 6
#define CHOICE_SIZE 128
#define SIZES 3 /* a digit is off by 1, 2 or 3 levels */

typedef struct segments_request {
    uint64_t servers;
    uint64_t bits;
    uint64_t seed;
    const char *choices;
    const char *path;
    cli_training training;
    json_t *rows; /* NULL: a table is printed */
} segments_request;

/* Wrong answers by digit and by how many levels the digit is off, from the design's table. */
static void count_by_size(const optinc_unit *unit, uint64_t counts[][SIZES])
{
    for (size_t i = 0; unit->table && i < unit->table_count; i++) {
        uint32_t sums[OPTINC_TRAIN_DIGITS_MAX];
        uint64_t right;

        optinc_case_digit_sums(&unit->spec, i, sums);
        right = optinc_reference_digits(&unit->spec, sums, 0);
        for (uint32_t j = 0; j < optinc_spec_digits_out(&unit->spec); j++) {
            int off = abs((int)(unit->table[i] >> (2 * j) & 3) - (int)(right >> (2 * j) & 3));

            if (off > 0)
                counts[j][off - 1]++;
        }
    }
}

static void write_head(FILE *file, uint32_t digits)
{
    fputs("segments,mzis,mzis_svd,share,cases,errors,accuracy,margin,epochs,seconds,cpu_seconds,"
          "seed",
          file);
    for (uint32_t i = 0; i < digits; i++)
        for (int size = 1; size <= SIZES; size++)
            fprintf(file, ",digit%u_off%d", i, size);
    fputc('\n', file);
}

static void write_row(FILE *file, const char *choice, uint64_t seed,
                      const optinc_train_result *result, const optinc_unit *unit)
{
    uint64_t counts[OPTINC_TRAIN_DIGITS_MAX][SIZES] = {{0}};
    const optinc_proof *proof = &result->proof;

    count_by_size(unit, counts);
    fprintf(file, "\"%s\",%llu,%llu,%.4f,%llu,%llu,%.8f,%.4f,%llu,%.1f,%.1f,%llu", choice,
            (unsigned long long)result->cost.mzis, (unsigned long long)result->cost.mzis_svd,
            (double)result->cost.mzis / (double)result->cost.mzis_svd,
            (unsigned long long)proof->cases, (unsigned long long)proof->errors,
            1.0 - (double)proof->errors / (double)proof->cases, proof->margin_min,
            (unsigned long long)result->epochs, result->train_seconds, result->train_cpu_seconds,
            (unsigned long long)seed);
    for (uint32_t i = 0; i < optinc_spec_digits_out(&unit->spec); i++)
        for (int size = 0; size < SIZES; size++)
            fprintf(file, ",%llu", (unsigned long long)counts[i][size]);
    fputc('\n', file);
    fflush(file);
}

static json_t *json_row(const char *choice, const optinc_train_result *result)
{
    json_t *row = json_object();

    cli_json_set(row, "segment", json_string(choice));
    cli_json_set(row, "mzis", cli_json_count(result->cost.mzis));
    cli_json_set(row, "mzis_svd", cli_json_count(result->cost.mzis_svd));
    cli_json_set(row, "cases", cli_json_count(result->proof.cases));
    cli_json_set(row, "errors", cli_json_count(result->proof.errors));
    cli_json_set(row, "margin_min", cli_json_number(result->proof.margin_min));
    cli_json_set(row, "seconds", cli_json_number(result->train_seconds));
    cli_json_set(row, "cpu_seconds", cli_json_number(result->train_cpu_seconds));
    return row;
}

static void print_row(const char *choice, const optinc_train_result *result)
{
    char count[CLI_COUNT_TEXT_SIZE];

    printf("%-12s %12s %6.1f %% %12.8f %10llu %8.3f %8.1f\n", choice,
           cli_count_text(result->cost.mzis, count),
           100.0 * (double)result->cost.mzis / (double)result->cost.mzis_svd,
           1.0 - (double)result->proof.errors / (double)result->proof.cases,
           (unsigned long long)result->proof.errors, result->proof.margin_min,
           result->train_seconds);
    fflush(stdout);
}

static optinc_status train_choice(segments_request *request, const optinc_spec *spec,
                                  const char *choice, FILE *file)
{
    optinc_train_watch watch = cli_training_watch(&request->training);
    optinc_train_options options;
    optinc_train_result result;
    optinc_design *design = NULL;
    optinc_status status;

    request->training.segment = choice;
    if (!cli_training_options_of(&request->training, spec, OPTINC_ACTIVATION_RELU, request->seed,
                                 &options))
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (!file)
        return OPTINC_OK;
    status = optinc_train(spec, &options, &watch, &cli_log, &result, &design);
    cli_training_watch_end();
    if (status == OPTINC_OK) {
        write_row(file, choice, request->seed, &result, optinc_design_unit(design, 0));
        if (request->rows)
            json_array_append_new(request->rows, json_row(choice, &result));
        else
            print_row(choice, &result);
    }
    optinc_design_destroy(&design);
    return status;
}

/* The choices between slashes, each trained in turn, or, without a file, checked alone. */
static optinc_status train_all(segments_request *request, const optinc_spec *spec, FILE *file)
{
    const char *rest = request->choices;
    optinc_status status = OPTINC_OK;

    if (file && !request->rows)
        printf("%-12s %12s %8s %12s %10s %8s %8s\n", "segmented", "MZIs", "of SVD", "accuracy",
               "errors", "margin", "seconds");
    while (status == OPTINC_OK && rest) {
        const char *end = strchr(rest, '/');
        size_t size = end ? (size_t)(end - rest) : strlen(rest);
        char choice[CHOICE_SIZE];

        if (size >= sizeof choice) {
            cli_error("--choices: over %d characters in one choice", CHOICE_SIZE - 1);
            return OPTINC_ERR_INVALID_ARGUMENT;
        }
        memcpy(choice, rest, size);
        choice[size] = '\0';
        status = train_choice(request, spec, choice, file);
        rest = end ? end + 1 : NULL;
    }
    return status;
}

static int make_table(segments_request *request)
{
    cli_output output;
    cli_about about;
    optinc_spec spec;
    optinc_status status =
        optinc_spec_single((uint32_t)request->servers, (uint32_t)request->bits,
                           OPTINC_VARIANT_HALF_UP, cli_log_about(&about, "--servers"), &spec);

    if (status != OPTINC_OK)
        return cli_library_error(status, "segments");
    status = train_all(request, &spec, NULL);
    if (status != OPTINC_OK)
        return cli_library_error(status, "segments");
    if (!cli_output_open(&output, request->path))
        return CLI_BAD_INPUT;
    write_head(output.stream, optinc_spec_digits_out(&spec));
    status = train_all(request, &spec, output.stream);
    if (status != OPTINC_OK) {
        cli_output_abandon(&output);
        return cli_library_error(status, request->path);
    }
    return cli_output_commit(&output) ? CLI_DONE : CLI_BAD_INPUT;
}

static int make_and_print(segments_request *request, bool json)
{
    json_t *object = json ? json_object() : NULL;
    int code;

    request->rows = json ? json_array() : NULL;
    code = make_table(request);
    if (!json)
        return code;
    cli_json_set(object, "output", json_string(request->path));
    cli_json_set(object, "seed", cli_json_count(request->seed));
    cli_json_set(object, "rows", request->rows);
    if (code == CLI_DONE)
        cli_print_json(object);
    else
        json_decref(object);
    return code;
}

static int run(int argc, char **argv)
{
    segments_request request = {
        .seed = 1, .choices = "all/none", .training = cli_training_default()};
    bool json = false;
    cli_option training[CLI_TRAINING_OPTIONS];
    cli_option options[OWN_OPTIONS + CLI_TRAINING_SHARED] = {
        cli_required(cli_count("--servers", &request.servers, "N", 1, 1u << 20,
                               "ports of the switch: 2, 4, 8, 16, 32 or 64")),
        cli_required(cli_even(cli_count("--bits", &request.bits, "B", 2, 32,
                                        "bits of a gradient code: even, 2 to 32"))),
        cli_output_option(&request.path, "FILE", "the table as CSV"),
        cli_text("--choices", &request.choices, "LIST",
                 "segmented layers of each row: all, none, or layers from 1 as 1,4-6, with slashes "
                 "between; default all/none"),
        cli_seed_option(&request.seed, "of the trainings; default 1"),
        cli_json_option(&json),
    };
    const cli_syntax syntax = {
        .usage = "segments --servers N --bits B [--choices LIST] -o FILE [OPTIONS]",
        .text = "Trains a structure once for each choice of segmented layers and shows what it "
                "costs and saves: MZIs, share of the SVD mapping, accuracy, errors, of them "
                "by digit and size, time.",
        .example = "optinc segments --servers 4 --bits 8 --choices all/none/4-6 -o table.csv\n"
                   "optinc segments --servers 4 --bits 4 --structure 2-32-32-2 --epochs 60 -o "
                   "small.csv",
        .options = options,
        .option_count = (int)(sizeof options / sizeof options[0]),
    };
    int operand_count;

    request.training.segment_option = "--choices";
    cli_training_describe(&request.training, training);
    memcpy(options + OWN_OPTIONS, training, CLI_TRAINING_SHARED * sizeof training[0]);
    switch (cli_parse(&syntax, argc, argv, &operand_count)) {
    case CLI_PARSED_HELP:
        return CLI_DONE;
    case CLI_PARSED_WRONG:
        return CLI_BAD_INPUT;
    case CLI_PARSED:
        break;
    }
    return make_and_print(&request, json);
}

const cli_command cli_command_segments = {
    .name = "segments", .summary = "tables what segmented layers cost and save", .run = run};
