/* SPDX-License-Identifier: Apache-2.0 */
/* Reduce allocates nothing after set-up. */
#include "switch/designs.h"
#include "wrapped_memory.h"

#include "optinc/switch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ELEMENTS 20000u

static size_t allocations;

static bool may_allocate(size_t size)
{
    (void)size;
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    return true;
}

/* Precondition: every backend, flat and as a tree, whole bytes and not. Identity: create allocates,
 * which shows that the counter works; reduce does not. */
static void reduce_allocates_nothing(void **state)
{
    static const wish wishes[] = {
        {.ports = {4}, .level_count = 1, .bits = 8, .with_tables = true},
        {.ports = {4}, .level_count = 1, .bits = 6, .with_tables = true},
        {.ports = {4},
         .level_count = 1,
         .bits = 8,
         .variant = OPTINC_VARIANT_STOCHASTIC,
         .with_tables = true},
        {.ports = {4, 4}, .level_count = 2, .bits = 8, .with_tables = true},
    };
    const optinc_backend *const backends[] = {optinc_backend_exact(), optinc_backend_table()};
    uint8_t *symbols = malloc(16 * ELEMENTS);
    uint8_t *result = malloc(2 * ELEMENTS);

    (void)state;
    assert_non_null(symbols);
    assert_non_null(result);
    memset(symbols, 0x5A, 16 * ELEMENTS);
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        optinc_design *design = make_design(&wishes[i]);

        for (size_t k = 0; k < 2; k++) {
            for (uint32_t threads = 1; threads <= 4; threads *= 2) {
                optinc_switch_options options = {.thread_count = threads};
                optinc_switch *sw = NULL;
                size_t before = allocations;

                assert_int_equal(optinc_switch_create(design, backends[k], &options, NULL, &sw),
                                 OPTINC_OK);
                assert_true(allocations > before);
                before = allocations;
                assert_int_equal(optinc_switch_reduce(sw, symbols, ELEMENTS,
                                                      optinc_design_ports(design), ELEMENTS, NULL,
                                                      result),
                                 OPTINC_OK);
                assert_int_equal(allocations, before);
                optinc_switch_destroy(&sw);
            }
        }
        optinc_design_destroy(&design);
    }
    free(result);
    free(symbols);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduce_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
