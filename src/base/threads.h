/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_BASE_THREADS_H
#define OI_BASE_THREADS_H

#include "optinc/base.h"

/* OPTINC_ERR_INVALID_ARGUMENT, and a line in the log, for more than OPTINC_THREADS_MAX. */
optinc_status oi_threads_check(uint32_t thread_count, const optinc_log *log) OPTINC_WARN_UNUSED;

#endif
