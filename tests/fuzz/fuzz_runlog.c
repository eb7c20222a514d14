/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of run logs on any bytes: no crash, the same answer twice, and the steps that it gives
 * are those of the file. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/counted_errors.h"
#include "runlog.h"

static bool load(const char *path, runlog *log)
{
    bool good;

    message_count = 0;
    memset(log, 0, sizeof *log);
    good = runlog_load(path, log);
    require(good || message_count == 1); /* one message says why */
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int file = memfd_create("log", 0);
    char path[64];
    runlog first, second;
    bool good;

    require(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    good = load(path, &first);
    require(load(path, &second) == good);
    if (good) {
        require(first.step_count == second.step_count && first.step_count > 0);
        require(memcmp(first.step, second.step, first.step_count * sizeof *first.step) == 0);
        require(strcmp(first.collective, "ring") == 0 || runlog_is_optinc(&first));
    }
    runlog_free(&first);
    runlog_free(&first);
    runlog_free(&second);
    close(file);
    return 0;
}
