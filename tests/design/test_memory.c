/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out. The linker sends the library's calls of the allocators here (--wrap, in
 * CMakeLists.txt), where the n-th of them fails. */
#include "design/file_format.h"
#include "design/make_design.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NEVER SIZE_MAX

static size_t calls_left = NEVER;

void *__real_malloc(size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool fails_now(void)
{
    return calls_left != NEVER && calls_left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}

/* One call of the library with its n-th allocation failing. */
typedef optinc_status (*attempt)(const optinc_design *whole, const char *path);

static optinc_status try_create(const optinc_design *whole, const char *path)
{
    optinc_design *design = NULL;
    optinc_status status;
    sample s;

    (void)whole;
    (void)path;
    sample_fill(&s);
    status = optinc_design_create(s.units, 2, NULL, &design);
    calls_left = NEVER;
    assert_int_equal(status == OPTINC_OK, design != NULL);
    optinc_design_destroy(&design);
    return status;
}

static optinc_status try_load(const optinc_design *whole, const char *path)
{
    optinc_design *design = NULL;
    optinc_status status = optinc_design_load(path, NULL, &design);

    calls_left = NEVER;
    assert_int_equal(status == OPTINC_OK, design != NULL);
    if (design)
        assert_true(optinc_design_checksum(design) == optinc_design_checksum(whole));
    optinc_design_destroy(&design);
    return status;
}

static optinc_status try_save(const optinc_design *whole, const char *path)
{
    optinc_status status = optinc_design_save(whole, path, NULL);

    calls_left = NEVER;
    return status;
}

/* Precondition: the n-th allocation fails, n = 0, 1, ... Identity: OPTINC_ERR_OUT_OF_MEMORY until
 * there are enough, nothing made, nothing leaked (which the sanitizers see), the file intact. */
static void every_allocation_may_fail(void **state)
{
    static const attempt attempts[] = {try_create, try_load, try_save};
    const char *path = "design_test_memory.safetensors";
    sample s;
    optinc_design *whole = NULL;

    (void)state;
    sample_fill(&s);
    assert_int_equal(optinc_design_create(s.units, 2, NULL, &whole), OPTINC_OK);
    assert_int_equal(optinc_design_save(whole, path, NULL), OPTINC_OK);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;
        size_t n = 0;

        for (; status == OPTINC_ERR_OUT_OF_MEMORY; n++) {
            calls_left = n;
            status = attempts[i](whole, path);
            calls_left = NEVER;
        }
        assert_int_equal(status, OPTINC_OK);
        assert_true(n > 1); /* at least one failed */
        assert_int_equal(try_load(whole, path), OPTINC_OK);
    }
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
