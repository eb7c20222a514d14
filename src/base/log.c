/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

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
