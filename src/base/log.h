/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_BASE_LOG_H
#define OI_BASE_LOG_H

#include "optinc/base.h"

/* Formats one line for the caller's log handler; silent without one. Lines are cut at 512 bytes. */
void oi_log(const optinc_log *log, optinc_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Logs an error and gives its status back: return oi_fail(log, OPTINC_ERR_FORMAT, "..."); */
optinc_status oi_fail(const optinc_log *log, optinc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "PATH: WHAT: the text of errno"; OPTINC_ERR_IO. */
optinc_status oi_fail_errno(const optinc_log *log, const char *path, const char *what);

#endif
