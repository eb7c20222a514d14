/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of verification. The first byte says how the rest is read: bit 0, seal it, so that
 * what lies behind the checksum is reached; bit 1, the run asked for has random cases. No crash; what
 * is accepted is plausible, and comes out of a save and a load as it went in. */
#define _GNU_SOURCE
#include "fuzz/seal.h"
#include "onn/prove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_SIZE_MAX 4096u
#define DIGITS 4u

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check(const oi_case_range *range, const oi_case_tally *tally)
{
    char path[] = "/tmp/optinc-fuzz-verify-XXXXXX";
    oi_case_checkpoint checkpoint = {.path = path, .design_checksum = 1};
    oi_case_tally again;
    int file = mkstemp(path);

    require(file >= 0);
    close(file);
    require(tally->done <= range->count && tally->cases <= tally->done);
    require(tally->errors <= tally->cases && tally->margin_min >= 0 && tally->margin_min <= 0.5);
    for (uint32_t j = 0; j < 32; j++)
        require(tally->digit_errors[j] <= (j < DIGITS ? tally->errors : 0));
    require(oi_case_checkpoint_save(&checkpoint, range, tally, NULL) == OPTINC_OK);
    memset(&again, 0xA5, sizeof again);
    require(oi_case_checkpoint_load(&checkpoint, range, DIGITS, NULL, &again) == OPTINC_OK);
    require(memcmp(&again, tally, sizeof again) == 0);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_size)
{
    static uint8_t bytes[FILE_SIZE_MAX];
    const oi_case_tally untouched = {.done = 12345};
    oi_case_tally tally = untouched;
    oi_case_range range = {.count = 28561};
    oi_case_checkpoint checkpoint = {.design_checksum = 1};
    size_t size = input_size - 1;
    char path[64];
    int file;

    if (input_size < 1 || size > sizeof bytes)
        return 0;
    memcpy(bytes, input + 1, size);
    if (input[0] & 1 && size > sizeof(uint64_t))
        seal(bytes, size);
    range.random = input[0] & 2;
    range.seed = range.random ? 7 : 0;
    file = memfd_create("checkpoint", 0);
    require(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    checkpoint.path = path;
    if (oi_case_checkpoint_load(&checkpoint, &range, DIGITS, NULL, &tally) == OPTINC_OK)
        check(&range, &tally);
    else
        require(memcmp(&tally, &untouched, sizeof tally) == 0);
    close(file);
    return 0;
}
