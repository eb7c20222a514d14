/* SPDX-License-Identifier: Apache-2.0 */
/* Stands before liboptinc's all-reduce, calls it and adds OPTINC_TEST_SPOIL, or a million, to one element
 * of the result, the same on every rank: what a broken switch would do, and the self-check must find. */
#define _GNU_SOURCE
#include "optinc/collective.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef optinc_status allreduce(optinc_collective *, const optinc_allreduce_args *,
                                optinc_allreduce_report *);

__attribute__((visibility("default"))) optinc_status
optinc_allreduce(optinc_collective *collective, const optinc_allreduce_args *args,
                 optinc_allreduce_report *report)
{
    void *symbol = dlsym(RTLD_NEXT, "optinc_allreduce");
    const char *error = getenv("OPTINC_TEST_SPOIL");
    allreduce *real;
    optinc_status status;

    memcpy(&real, &symbol, sizeof real);
    status = real(collective, args, report);
    if (status == OPTINC_OK && args->count > 7)
        args->output[7] += error ? strtof(error, NULL) : 1e6f;
    return status;
}
