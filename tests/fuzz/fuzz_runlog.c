/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of run logs on any bytes: no crash, the same answer twice, and the steps that it gives
 * are those of the file. */
#define _GNU_SOURCE
#include "runlog.c"

#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

/* assert would vanish in a build with NDEBUG */
static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What the reader needs of the program; messages are counted and not shown. */
static int message_count;

int cli_error(const char *format, ...)
{
    va_list values;
    char text[512];

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    message_count++;
    return CLI_BAD_INPUT;
}

char *cli_concatenate(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = malloc(size);

    require(text);
    snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

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
