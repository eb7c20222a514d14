/* SPDX-License-Identifier: Apache-2.0 */
/* Training checkpoints. The input edits a good one: three bytes say where and what, the first two
 * bytes how much of it is left; an odd length makes the checksum right again, so that what lies
 * behind it is reached. No crash, and a file that was changed and not signed anew is refused. */
#define _GNU_SOURCE
#include "fuzz/seal.h"
#include "onn/train_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_SIZE_MAX 65536u

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void make_options(optinc_train_options *options, const char *path)
{
    static const uint32_t sides[] = {1, 4, 1};

    *options = optinc_train_options_default();
    options->sides = sides;
    options->layer_count = 2;
    options->checkpoint = path;
    options->thread_count = 1;
}

static void begin(oi_train_plan *plan, oi_trainer *trainer, const optinc_train_options *options)
{
    optinc_spec spec;

    require(optinc_spec_single(2, 2, OPTINC_VARIANT_HALF_UP, NULL, &spec) == OPTINC_OK);
    require(oi_train_plan_create(&spec, options, NULL, plan) == OPTINC_OK);
    *trainer = (oi_trainer){.plan = plan};
    require(oi_trainer_create(trainer) == OPTINC_OK);
}

static size_t good_checkpoint(uint8_t *bytes)
{
    char path[] = "/tmp/optinc-fuzz-checkpoint-XXXXXX";
    optinc_train_options options;
    oi_train_plan plan;
    oi_trainer trainer;
    int file = mkstemp(path);
    FILE *stream;
    size_t size;

    require(file >= 0);
    close(file);
    make_options(&options, path);
    begin(&plan, &trainer, &options);
    require(oi_checkpoint_save(&trainer) == OPTINC_OK);
    oi_trainer_destroy(&trainer);
    oi_train_plan_destroy(&plan);
    stream = fopen(path, "rb");
    require(stream);
    size = fread(bytes, 1, FILE_SIZE_MAX, stream);
    fclose(stream);
    unlink(path);
    require(size > 64 && size < FILE_SIZE_MAX);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_size)
{
    static uint8_t good[FILE_SIZE_MAX], bytes[FILE_SIZE_MAX];
    static size_t good_size;
    size_t size;
    char path[64];
    int file = memfd_create("checkpoint", 0);
    optinc_train_options options;
    oi_train_plan plan;
    oi_trainer trainer;
    optinc_status status;

    if (good_size == 0)
        good_size = good_checkpoint(good);
    memcpy(bytes, good, good_size);
    size = input_size < 2 ? good_size : (input[0] | (size_t)input[1] << 8);
    size = size > good_size ? good_size : size;
    for (size_t i = 2; i + 3 <= input_size && size > 0; i += 3)
        bytes[(input[i] | (size_t)input[i + 1] << 8) % size] ^= input[i + 2];
    if (input_size % 2 == 1 && size > sizeof(uint64_t))
        seal(bytes, size);

    require(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    make_options(&options, path);
    begin(&plan, &trainer, &options);
    status = oi_checkpoint_load(&trainer);
    if (size == good_size && memcmp(bytes, good, size) == 0)
        require(status == OPTINC_OK);
    else if (input_size % 2 == 0 || size < good_size)
        require(status != OPTINC_OK);
    oi_trainer_destroy(&trainer);
    oi_train_plan_destroy(&plan);
    close(file);
    return 0;
}
