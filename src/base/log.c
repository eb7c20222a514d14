/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* strerror_r that returns an int */

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 512

static void write_line(const optinc_log *log, optinc_log_level level, const char *format,
                       va_list values)
{
    char line[LINE_SIZE];

    if (!log || !log->write)
        return;
    vsnprintf(line, sizeof line, format, values);
    log->write(log->user, level, line);
}

void oi_log(const optinc_log *log, optinc_log_level level, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    write_line(log, level, format, values);
    va_end(values);
}

optinc_status oi_fail(const optinc_log *log, optinc_status status, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    write_line(log, OPTINC_LOG_ERROR, format, values);
    va_end(values);
    return status;
}

optinc_status oi_fail_errno(const optinc_log *log, const char *path, const char *what)
{
    char reason[96];
    int code = errno;

    if (strerror_r(code, reason, sizeof reason))
        snprintf(reason, sizeof reason, "error %d", code);
    return oi_fail(log, OPTINC_ERR_IO, "%s: %s: %s", path, what, reason);
}
