/* SPDX-License-Identifier: Apache-2.0 */
#include "training.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Off a terminal, a line every so many epochs will do. */
#define NOTE_EPOCHS 10u

static const char *const ways[] = {"tangent", "project", NULL};
static const char *const supervisions[] = {"outputs", "carries", NULL};
static const char *const starts[] = {"haar", "axes", NULL};

cli_training cli_training_default(void)
{
    optinc_train_options library = optinc_train_options_default();
    cli_training training = {.segment = "all",
                             .segment_option = "--segment",
                             .merge = library.input_merge,
                             .batch = library.batch_size,
                             .epochs = library.epochs,
                             .cycles = library.cycles_max,
                             .squared_epochs = library.squared_epochs,
                             .project_interval = library.project_interval,
                             .visit_interval = library.visit_interval,
                             .learning_rate = library.learning_rate,
                             .margin = library.margin,
                             .margin_stop = library.margin_stop,
                             .wrong_weight = library.wrong_weight};

    return training;
}

void cli_training_describe(cli_training *t, cli_option *options)
{
    const cli_option list[CLI_TRAINING_OPTIONS] = {
        cli_text("--structure", &t->structure, "SIDES",
                 "inputs, hidden layers, digits, as 4-64-128-64-4; default hidden layers as the "
                 "paper's, "
                 "64-128-256-128-64"),
        cli_count("--merge", &t->merge, "K", 1, 16,
                  "neighbouring digits that share an input; default 1"),
        cli_choice("--training", &t->how, ways,
                   "of segments: on the orthogonal group, or free and projected; default tangent"),
        cli_choice("--supervision", &t->supervision, supervisions,
                   "of the digits alone, or of carries in hidden layers, too; default outputs"),
        cli_choice("--start", &t->start, starts,
                   "from random rotations, or from first units along the inputs; default haar"),
        cli_count("--batch", &t->batch, "CASES", 1, 1u << 20, "cases a step; default 1024"),
        cli_count("--epochs", &t->epochs, "E", 1, 1u << 24,
                  "epochs of the first cycle; default 120"),
        cli_count("--cycles", &t->cycles, "C", 1, 64,
                  "most cycles, while cases are wrong; default 3"),
        cli_count("--squared-epochs", &t->squared_epochs, "E", 0, 1u << 24,
                  "epochs of squared error, before the hinge; default 10"),
        cli_count("--project-interval", &t->project_interval, "STEPS", 1, 1u << 24,
                  "steps between two projections; default 7"),
        cli_count("--visit-interval", &t->visit_interval, "E", 1, 1000,
                  "epochs that well learnt cases wait; default 1"),
        cli_count("--epoch-cases", &t->epoch_cases, "CASES", 0, (uint64_t)1 << 26,
                  "random cases an epoch; default all"),
        cli_needs(cli_count("--hard-cases", &t->hard_cases, "CASES", 0, (uint64_t)1 << 25,
                            "of these, the worst so far, and as many neighbours; default none"),
                  "--epoch-cases"),
        cli_number("--learning-rate", &t->learning_rate, "R", 0.0, 1.0,
                   "learning rate at the start; default 0.012"),
        cli_number("--margin", &t->margin, "D", 0.0, 0.5,
                   "errors beyond it count; default 0.25 of a digit"),
        cli_number("--margin-stop", &t->margin_stop, "D", 0.0, 10.0,
                   "stop when all are right by so much; default 0.1 of a digit"),
        cli_number_from("--wrong-weight", &t->wrong_weight, "W", 1.0, 1e6,
                        "weight of cases that are wrong; default 1"),
        cli_number("--unit-noise", &t->unit_noise, "S", 0.0, 1.0,
                   "Gaussian noise on units, of their full scale; default none"),
        cli_number("--phase-noise", &t->phase_noise, "RAD", 0.0, 1.0,
                   "Gaussian noise on the MZIs' angles; default none"),
        cli_count("--threads", &t->threads, "T", 1, 1024,
                  "threads; the result does not depend on it; default all cores"),
        cli_flag("--progress", &t->progress,
                 "prints a line every 10 epochs where stderr is no terminal"),
        cli_text("--segment", &t->segment, "LAYERS",
                 "all, none, or layers from 1 as 1,4-6; default all"),
        cli_text("--checkpoint", &t->checkpoint, "FILE",
                 "written at the end and when interrupted; default none"),
        cli_needs(cli_count("--checkpoint-interval", &t->checkpoint_interval, "E", 1, 1u << 24,
                            "epochs between two savings; default none"),
                  "--checkpoint"),
        cli_needs(cli_flag("--resume", &t->resume, "continue from the checkpoint"), "--checkpoint"),
    };

    memcpy(options, list, sizeof list);
    cli_group(options, CLI_TRAINING_OPTIONS, "Training of the ONN");
}

/* inputs-64-128-256-128-64-digits: the paper's hidden layers for N=4, B=8 */
static void default_sides(const optinc_preprocessing *inputs, const optinc_spec *spec,
                          cli_training *training, uint32_t *side_count)
{
    const uint32_t sides[] = {inputs->input_count,         64, 128, 256, 128, 64,
                              optinc_spec_digits_out(spec)};

    memcpy(training->sides, sides, sizeof sides);
    *side_count = sizeof sides / sizeof *sides;
}

static bool read_texts(cli_training *training, uint32_t *side_count)
{
    cli_about about;

    if (training->structure &&
        optinc_structure_parse(training->structure, cli_log_about(&about, "--structure"),
                               training->sides, OPTINC_TRAIN_LAYERS_MAX + 1, side_count))
        return false;
    return optinc_segments_parse(training->segment, *side_count - 1,
                                 cli_log_about(&about, training->segment_option),
                                 training->segmented) == OPTINC_OK;
}

bool cli_training_options_of(cli_training *training, const optinc_spec *spec,
                             optinc_activation activation, uint64_t seed,
                             optinc_train_options *options)
{
    optinc_preprocessing inputs;
    uint32_t side_count = 0;
    cli_about about;

    *options = optinc_train_options_default();
    if (optinc_preprocessing_of(spec, (uint32_t)training->merge, cli_log_about(&about, "--merge"),
                                &inputs))
        return false;
    if (!training->structure)
        default_sides(&inputs, spec, training, &side_count);
    if (!read_texts(training, &side_count))
        return false;
    options->layer_count = side_count - 1;
    options->sides = training->sides;
    options->segmented = training->segmented;
    options->activation = activation;
    options->segment_training =
        training->how == 1 ? OPTINC_SEGMENT_PROJECT : OPTINC_SEGMENT_TANGENT;
    options->supervision = (optinc_supervision)training->supervision;
    options->start = (optinc_train_start)training->start;
    options->input_merge = (uint32_t)training->merge;
    options->batch_size = (uint32_t)training->batch;
    options->epochs = (uint32_t)training->epochs;
    options->cycles_max = (uint32_t)training->cycles;
    options->squared_epochs = (uint32_t)training->squared_epochs;
    options->project_interval = (uint32_t)training->project_interval;
    options->visit_interval = (uint32_t)training->visit_interval;
    options->epoch_cases = training->epoch_cases;
    options->hard_cases = training->hard_cases;
    options->learning_rate = training->learning_rate;
    options->margin = training->margin;
    options->margin_stop = training->margin_stop;
    options->wrong_weight = training->wrong_weight;
    options->unit_noise = training->unit_noise;
    options->phase_noise_rad = training->phase_noise;
    options->checkpoint = training->checkpoint;
    options->checkpoint_interval = (uint32_t)training->checkpoint_interval;
    options->resume = training->resume;
    options->thread_count = (uint32_t)training->threads;
    options->seed = seed;
    return true;
}

void cli_training_print(const optinc_train_result *result)
{
    char mzis[CLI_COUNT_TEXT_SIZE], svd[CLI_COUNT_TEXT_SIZE];
    const optinc_preprocessing *cases = &result->preprocessing;

    printf("matrices  %s MZIs, %.1f %% of the %s by SVD, biases apart\n",
           cli_count_text(result->cost.mzis, mzis),
           100.0 * (double)result->cost.mzis / (double)result->cost.mzis_svd,
           cli_count_text(result->cost.mzis_svd, svd));
    printf("cases     %.10g of symbols, %.10g of digit sums, %.10g at the %u inputs\n",
           cases->cases_symbols, cases->cases_digits, cases->cases_inputs, cases->input_count);
    printf("training  %llu epochs, %llu steps, %.1f s (CPU %.1f s), |U'U - I| <= %.1e\n",
           (unsigned long long)result->epochs, (unsigned long long)result->steps,
           result->train_seconds, result->train_cpu_seconds, result->orthogonality_max);
}

json_t *cli_training_json(const optinc_train_result *result, uint32_t digit_count)
{
    json_t *object = json_object(), *digits = json_array();

    cli_json_set(object, "mzis_matrices", cli_json_count(result->cost.mzis));
    cli_json_set(object, "mzis_matrices_svd", cli_json_count(result->cost.mzis_svd));
    cli_json_set(object, "cases_symbols", cli_json_number(result->preprocessing.cases_symbols));
    cli_json_set(object, "cases_digits", cli_json_number(result->preprocessing.cases_digits));
    cli_json_set(object, "cases_inputs", cli_json_number(result->preprocessing.cases_inputs));
    cli_json_set(object, "epochs", cli_json_count(result->epochs));
    cli_json_set(object, "steps", cli_json_count(result->steps));
    cli_json_set(object, "rollbacks", cli_json_count(result->rollbacks));
    cli_json_set(object, "orthogonality_max", cli_json_number(result->orthogonality_max));
    cli_json_set(object, "seconds", cli_json_number(result->train_seconds));
    cli_json_set(object, "cpu_seconds", cli_json_number(result->train_cpu_seconds));
    for (uint32_t i = 0; i < digit_count; i++)
        json_array_append_new(digits, cli_json_count(result->wrong_by_digit[i]));
    cli_json_set(object, "wrong_by_digit", digits);
    return object;
}

static bool show_epoch(void *user, const optinc_train_report *report)
{
    const cli_training *training = user;
    bool terminal = isatty(STDERR_FILENO);
    char digits[256] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < OPTINC_TRAIN_DIGITS_MAX && used < sizeof digits; i++)
        if (report->wrong_by_digit[i] > 0)
            used += (size_t)snprintf(digits + used, sizeof digits - used, " d%u %llu", i,
                                     (unsigned long long)report->wrong_by_digit[i]);
    if (terminal || (training->progress && report->epoch % NOTE_EPOCHS == 0))
        fprintf(stderr,
                "%sepoch %llu of %llu, accuracy %.6f, %llu wrong%s, margin %.3f, %.0f s, "
                "at most %.0f s left%s",
                terminal ? "\r\033[K" : "", (unsigned long long)report->epoch,
                (unsigned long long)report->epochs_max,
                1.0 - (double)report->wrong / (double)report->cases,
                (unsigned long long)report->wrong, digits, report->margin_min, report->seconds,
                report->eta_s, terminal ? "" : "\n");
    return !cli_interrupted();
}

optinc_train_watch cli_training_watch(cli_training *training)
{
    return (optinc_train_watch){.report = show_epoch, .user = training};
}

void cli_training_watch_end(void)
{
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
}
