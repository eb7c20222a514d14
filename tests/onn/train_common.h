/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of training share: a network of 49 cases, and what a refusal says. */
#ifndef TESTS_ONN_TRAIN_COMMON_H
#define TESTS_ONN_TRAIN_COMMON_H

#include "oracle.h"

#include "base/memory.h"
#include "onn/train_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint32_t small_sides[] = {2, 16, 32, 16, 2};

typedef struct messages {
    char last[512];
    uint32_t count;
} messages;

static inline void keep_message(void *user, optinc_log_level level, const char *message)
{
    messages *kept = user;

    (void)level;
    snprintf(kept->last, sizeof kept->last, "%s", message);
    kept->count++;
}

static inline optinc_spec small_spec(void)
{
    optinc_spec spec;

    assert_int_equal(optinc_spec_single(2, 4, OPTINC_VARIANT_HALF_UP, NULL, &spec), OPTINC_OK);
    return spec;
}

/* 49 cases, 16 a step */
static inline optinc_train_options small_options(void)
{
    optinc_train_options options = optinc_train_options_default();

    options.layer_count = 4;
    options.sides = small_sides;
    options.batch_size = 16;
    options.epochs = 200;
    options.squared_epochs = 20;
    options.thread_count = 1;
    return options;
}

static inline optinc_design *train_small(const optinc_train_options *options,
                                         optinc_train_result *result)
{
    optinc_spec spec = small_spec();
    optinc_design *design = NULL;

    memset(result, 0xA5, sizeof *result);
    assert_int_equal(optinc_train(&spec, options, NULL, NULL, result, &design), OPTINC_OK);
    assert_non_null(design);
    return design;
}

static inline uint64_t checksum_of(const optinc_train_options *options)
{
    optinc_train_result result;
    optinc_design *design = train_small(options, &result);
    uint64_t checksum = optinc_design_checksum(design);

    optinc_design_destroy(&design);
    return checksum;
}

static inline void name_file(char *path, size_t size, const char *suffix)
{
    snprintf(path, size, "test_train.%ld.%s", (long)getpid(), suffix);
}

static inline void expect_failure(const optinc_train_options *options, optinc_status status,
                                  const char *text)
{
    optinc_spec spec = small_spec();
    optinc_design *design = (optinc_design *)1;
    messages kept = {.count = 0};
    optinc_log log = {keep_message, &kept};

    assert_int_equal(optinc_train(&spec, options, NULL, &log, NULL, &design), status);
    assert_null(design);
    if (!strstr(kept.last, text))
        fail_msg("\"%s\" does not say \"%s\"", kept.last, text);
}

#endif
