/* SPDX-License-Identifier: Apache-2.0 */
/* For targets of the program's parsers: its messages, and those of the library that it passes on, are
 * counted and not shown. The linker sends cli_error and cli_log_about here (tests/CMakeLists.txt). */
#ifndef FUZZ_COUNTED_ERRORS_H
#define FUZZ_COUNTED_ERRORS_H

#include <stdlib.h>

#include "cli.h"

/* assert would vanish in a build with NDEBUG */
static void require(bool holds)
{
    if (!holds)
        abort();
}

static int message_count;

int __wrap_cli_error(const char *format, ...);

int __wrap_cli_error(const char *format, ...)
{
    require(format != NULL);
    message_count++;
    return CLI_BAD_INPUT;
}

static void count_message(void *user, optinc_log_level level, const char *message)
{
    (void)user;
    require(message != NULL);
    if (level == OPTINC_LOG_ERROR)
        message_count++;
}

const optinc_log *__wrap_cli_log_about(cli_about *about, const char *option);

const optinc_log *__wrap_cli_log_about(cli_about *about, const char *option)
{
    *about = (cli_about){.log = {.write = count_message}, .option = option};
    return &about->log;
}

#endif
