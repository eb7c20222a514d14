/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line says about training, shared by the subcommands that train. */
#ifndef CLI_TRAINING_H
#define CLI_TRAINING_H

#include <jansson.h>

#include "optinc/train.h"
#include "options.h"

typedef struct cli_training {
    const char *structure; /* NULL: inputs-64-128-256-128-64-digits */
    const char *segment;
    const char *segment_option; /* that segment came with */
    const char *checkpoint;
    int how;         /* index into tangent, project */
    int supervision; /* optinc_supervision */
    int start;       /* optinc_train_start */
    uint64_t merge;
    uint64_t batch;
    uint64_t epochs;
    uint64_t cycles;
    uint64_t squared_epochs;
    uint64_t project_interval;
    uint64_t visit_interval;
    uint64_t epoch_cases;
    uint64_t hard_cases;
    uint64_t checkpoint_interval;
    uint64_t threads;
    double learning_rate;
    double margin;
    double margin_stop;
    double wrong_weight;
    double unit_noise;
    double phase_noise;
    bool resume;
    bool progress; /* lines on stderr off a terminal, too */
    /* made by cli_training_options_of, borrowed by what it returns */
    uint32_t sides[OPTINC_TRAIN_LAYERS_MAX + 1];
    bool segmented[OPTINC_TRAIN_LAYERS_MAX];
} cli_training;

#define CLI_TRAINING_OPTIONS 25
#define CLI_TRAINING_SHARED 21 /* the first of them: those that several trainings can share */

cli_training cli_training_default(void);
/* The command line's options, CLI_TRAINING_OPTIONS of them, which set `training`. */
void cli_training_describe(cli_training *training, cli_option *options);
/* The library's options; prints what is wrong and returns false. */
bool cli_training_options_of(cli_training *training, const optinc_spec *spec,
                             optinc_activation activation, uint64_t seed,
                             optinc_train_options *options);
/* What a training came to: lines on stdout, or a new JSON object. */
void cli_training_print(const optinc_train_result *result);
json_t *cli_training_json(const optinc_train_result *result, uint32_t digit_count);
/* Shows epochs on stderr, a line that renews itself on a terminal; stops at Ctrl-C. Borrows
 * `training`. */
optinc_train_watch cli_training_watch(cli_training *training);
/* Ends the line. */
void cli_training_watch_end(void);

#endif
