/* SPDX-License-Identifier: Apache-2.0 */
#include "base/threads.h"

#include "base/log.h"

optinc_status oi_threads_check(uint32_t thread_count, const optinc_log *log)
{
    if (thread_count <= OPTINC_THREADS_MAX)
        return OPTINC_OK;
    return oi_fail(log, OPTINC_ERR_INVALID_ARGUMENT, "thread_count is %u, expected at most %u",
                   thread_count, OPTINC_THREADS_MAX);
}
