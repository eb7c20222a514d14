/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out while a design is made, loaded or saved, the JSON library's memory included. */
#include "failing_memory.h"

#include "design/make_design.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static const char path[] = "design_test_out_of_memory.safetensors";

static optinc_status try_create(void *user)
{
    optinc_design *design = NULL;
    optinc_status status;
    sample s;

    (void)user;
    sample_fill(&s);
    status = optinc_design_create(s.units, 2, NULL, &design);
    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, design != NULL);
    optinc_design_destroy(&design);
    return status;
}

static optinc_status try_load(void *user)
{
    optinc_design *design = NULL;
    optinc_status status = optinc_design_load(path, NULL, &design);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, design != NULL);
    if (design)
        assert_true(optinc_design_checksum(design) == optinc_design_checksum(user));
    optinc_design_destroy(&design);
    /* of a long string Jansson drops the characters that its scanner has no memory for, and the file
     * is not what it was */
    return status == OPTINC_ERR_FORMAT ? OPTINC_ERR_OUT_OF_MEMORY : status;
}

static optinc_status try_save(void *user)
{
    optinc_status status = optinc_design_save(user, path, NULL);

    allocations_left = NEVER;
    assert_int_equal(try_load(user), OPTINC_OK); /* the file is the old one, or the new one */
    return status;
}

static optinc_status try_set(void *user)
{
    static const uint32_t table[7] = {0, 1, 2, 3, 4, 5, 6};
    optinc_status status = optinc_design_set_table(user, 0, table, 7);

    allocations_left = NEVER;
    assert_int_equal(optinc_design_unit(user, 0)->table_count, 7);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    optinc_design *whole = NULL;
    sample s;

    (void)state;
    json_set_alloc_funcs(malloc, free); /* the ones that may fail */
    sample_fill(&s);
    assert_int_equal(optinc_design_create(s.units, 2, NULL, &whole), OPTINC_OK);
    assert_int_equal(optinc_design_save(whole, path, NULL), OPTINC_OK);
    each_allocation_may_fail("create", try_create, NULL);
    each_allocation_may_fail("load", try_load, whole);
    each_allocation_may_fail("save", try_save, whole);
    each_allocation_may_fail("set_table", try_set, whole);
    optinc_design_destroy(&whole);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
