/* SPDX-License-Identifier: Apache-2.0 */
/* For targets of the program's parsers: its messages are counted and not shown. The linker sends cli_error
 * here (tests/CMakeLists.txt). */
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

#endif
