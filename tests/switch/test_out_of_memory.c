/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out while a switch is made, flat, as a tree, and with faults. */
#include "failing_memory.h"
#include "switch/designs.h"

#include "optinc/switch.h"

typedef struct setting {
    const optinc_design *design;
    const optinc_backend *backend;
    optinc_switch_options options;
} setting;

static optinc_status try_create(void *user)
{
    const setting *s = user;
    optinc_switch *sw = (optinc_switch *)1;
    optinc_status status = optinc_switch_create(s->design, s->backend, &s->options, NULL, &sw);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, sw != NULL);
    optinc_switch_destroy(&sw);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    static const wish wishes[] = {
        {.ports = {4}, .level_count = 1, .bits = 4, .with_tables = true},
        {.ports = {4, 2}, .level_count = 2, .bits = 4, .with_tables = true},
    };
    static const uint32_t dark[] = {1};
    const optinc_backend *const backends[] = {optinc_backend_exact(), optinc_backend_table()};
    const optinc_faults faults = {.dark_ports = dark, .dark_count = 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        optinc_design *design = make_design(&wishes[i]);

        for (size_t k = 0; k < 2; k++)
            for (size_t f = 0; f < 2; f++) {
                setting s = {design, backends[k], {.faults = f ? &faults : NULL}};

                each_allocation_may_fail(backends[k]->name, try_create, &s);
            }
        optinc_design_destroy(&design);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
