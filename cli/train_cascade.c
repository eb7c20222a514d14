/* SPDX-License-Identifier: Apache-2.0 */
#include "train_cascade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define TEXT_SIZE 512
#define HIDDEN_SIDE_MIN 60u

/* What one level is trained with; `training` points into the rest. */
typedef struct level_training {
    cli_training training;
    optinc_train_options options;
    char structure[TEXT_SIZE];
    char segment[TEXT_SIZE];
    char checkpoint[TEXT_SIZE];
} level_training;

/* Entry `level` of "a/b/c", or the only one, to text [TEXT_SIZE]; prints what is wrong. */
static bool entry_of(const char *option, const char *list, uint32_t level, uint32_t level_count,
                     char *text)
{
    uint32_t count = 1;
    size_t length;

    for (const char *at = list; *at; at++)
        count += *at == '/';
    if (count != 1 && count != level_count) {
        cli_error("%s: found '%s', %u levels; expected %u, or one for all", option, list, count,
                  level_count);
        return false;
    }
    for (uint32_t i = 0; count > 1 && i < level; i++)
        list = strchr(list, '/') + 1;
    length = strcspn(list, "/");
    if (length == 0 || length >= TEXT_SIZE) {
        cli_error("%s: the entry of level %u is empty or too long", option, level);
        return false;
    }
    memcpy(text, list, length);
    text[length] = '\0';
    return true;
}

static uint32_t common_multiple(uint32_t a, uint32_t b)
{
    uint32_t multiple = a;

    while (multiple % b != 0)
        multiple += a;
    return multiple;
}

/* The paper's hidden layers, 64-128-256-128-64, with the side from 60 on that squares of
 * the inputs' and of the outputs' number tile. */
static void default_structure(uint32_t inputs, uint32_t outputs, char *text)
{
    uint32_t step = common_multiple(inputs, outputs);
    uint32_t side = (HIDDEN_SIDE_MIN + step - 1) / step * step;

    snprintf(text, TEXT_SIZE, "%u-%u-%u-%u-%u-%u-%u", inputs, side, 2 * side, 4 * side, 2 * side,
             side, outputs);
}

static bool read_epochs(const char *list, uint32_t level, uint32_t level_count, uint64_t *epochs)
{
    char text[TEXT_SIZE], *end;

    if (!entry_of("--level-epochs", list, level, level_count, text))
        return false;
    *epochs = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || *epochs < 1 || *epochs > 1u << 24) {
        cli_error("--level-epochs: found '%s', expected a number from 1 to %u", text, 1u << 24);
        return false;
    }
    return true;
}

static bool set_checkpoint(level_training *one, uint32_t level)
{
    int length;

    if (!one->training.checkpoint)
        return true;
    length = snprintf(one->checkpoint, TEXT_SIZE, "%s.%u", one->training.checkpoint, level);
    if (length < 0 || length >= TEXT_SIZE) {
        cli_error("--checkpoint: the name is too long");
        return false;
    }
    one->training.checkpoint = one->checkpoint;
    /* the first level is trained first; a later one may not have been reached */
    one->training.resume =
        one->training.resume && (level == 0 || access(one->checkpoint, F_OK) == 0);
    return cli_check_replaceable(one->checkpoint);
}

static bool plan_level(const cli_training *training, const char *level_epochs,
                       const optinc_cascade *cascade, const optinc_spec *spec, uint32_t level,
                       optinc_activation activation, uint64_t seed, level_training *one)
{
    uint32_t level_count = cascade->level_count;
    optinc_preprocessing inputs;
    cli_about about;

    one->training = *training;
    if (training->resume && !training->checkpoint) {
        cli_error("--resume: no checkpoint to resume from");
        return false;
    }
    if (optinc_preprocessing_of(spec, (uint32_t)training->merge, cli_log_about(&about, "--merge"),
                                &inputs))
        return false;
    if (!training->structure)
        default_structure(inputs.input_count, optinc_spec_digits_out(spec), one->structure);
    else if (!entry_of("--structure", training->structure, level, level_count, one->structure))
        return false;
    if (!entry_of("--segment", training->segment, level, level_count, one->segment) ||
        (level_epochs && !read_epochs(level_epochs, level, level_count, &one->training.epochs)) ||
        !set_checkpoint(one, level))
        return false;
    one->training.structure = one->structure;
    one->training.segment = one->segment;
    return cli_training_options_of(&one->training, spec, activation, seed, &one->options);
}

optinc_status cli_train_cascade(const cli_training *training, const char *level_epochs,
                                const optinc_cascade *cascade, optinc_activation activation,
                                uint64_t seed, optinc_train_result *results, optinc_design **design)
{
    level_training *levels = calloc(cascade->level_count, sizeof *levels);
    optinc_train_options options[OPTINC_LEVELS_MAX];
    optinc_spec specs[OPTINC_LEVELS_MAX];
    optinc_train_watch watch;
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    if (levels)
        status = optinc_cascade_specs(cascade, &cli_log, specs);
    for (uint32_t level = 0; level < cascade->level_count && status == OPTINC_OK; level++) {
        if (!plan_level(training, level_epochs, cascade, &specs[level], level, activation, seed,
                        &levels[level]))
            status = OPTINC_ERR_UNSUPPORTED; /* what is wrong has been printed */
        options[level] = levels[level].options;
    }
    if (status == OPTINC_OK) {
        watch = cli_training_watch(&levels[0].training);
        status = optinc_train_cascade(cascade, options, &watch, &cli_log, results, design);
        cli_training_watch_end();
    }
    if (status == OPTINC_ERR_INTERRUPTED && training->checkpoint)
        cli_note("%s.L: the training of level L as it was; --resume continues it",
                 training->checkpoint);
    free(levels);
    return status;
}
