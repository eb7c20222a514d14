/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out: a call of the library is repeated with its n-th allocation failing, n = 0, 1,
 * ..., until there are enough. Identity: OPTINC_ERR_OUT_OF_MEMORY until then, nothing made, nothing
 * leaked (which the sanitizers see), and the same call goes well afterwards. */
#ifndef TESTS_FAILING_MEMORY_H
#define TESTS_FAILING_MEMORY_H

#include "wrapped_memory.h"

#include "optinc/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define NEVER SIZE_MAX

static size_t allocations_left = NEVER;

static bool may_allocate(size_t size)
{
    (void)size;
    return allocations_left == NEVER || allocations_left-- > 0;
}

/* The call that is tried; it sets allocations_left to NEVER before it asserts or cleans up, and
 * leaves nothing behind. */
typedef optinc_status (*attempt)(void *user);

static inline void each_allocation_may_fail(const char *name, attempt call, void *user)
{
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;
    size_t n = 0;

    for (; status == OPTINC_ERR_OUT_OF_MEMORY; n++) {
        allocations_left = n;
        status = call(user);
        allocations_left = NEVER;
    }
    if (status != OPTINC_OK)
        fail_msg("%s: allocation %zu failed: %s", name, n - 1, optinc_status_text(status));
    if (n < 2)
        fail_msg("%s: no allocation failed", name);
    assert_int_equal(call(user), OPTINC_OK);
}

#endif
