/* SPDX-License-Identifier: Apache-2.0 */
/* Status texts, version, log lines, checked sizes, aligned memory, the floating-point mode. */
#include "base/float_mode.h"
#include "base/log.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fenv.h>
#include <stdio.h>
#include <string.h>

static void test_every_status_has_its_own_text(void **state)
{
    static const optinc_status all[] = {
#define STATUS_VALUE(name, value, text) OPTINC_##name,
        OPTINC_STATUS_LIST(STATUS_VALUE)
#undef STATUS_VALUE
    };
    const int count = sizeof all / sizeof all[0];

    (void)state;
    for (int i = 0; i < count; i++) {
        assert_int_equal(all[i], -i);
        assert_true(strlen(optinc_status_text(all[i])) > 0);
        assert_string_not_equal(optinc_status_text(all[i]), "unknown status");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(optinc_status_text(all[i]), optinc_status_text(all[j]));
    }
    assert_string_equal(optinc_status_text(OPTINC_OK), "success");
    assert_string_equal(optinc_status_text((optinc_status)1), "unknown status");
    assert_string_equal(optinc_status_text((optinc_status)-99), "unknown status");
}

static void test_version_has_three_numbers(void **state)
{
    unsigned major, minor, patch;
    char more;

    (void)state;
    assert_int_equal(sscanf(optinc_version(), "%u.%u.%u%c", &major, &minor, &patch, &more), 3);
}

typedef struct lines {
    int count;
    optinc_log_level level;
    char last[1024];
} lines;

static void keep(void *user, optinc_log_level level, const char *message)
{
    lines *kept = user;

    kept->count++;
    kept->level = level;
    assert_true(strlen(message) < sizeof kept->last);
    strcpy(kept->last, message);
}

static void test_log_lines(void **state)
{
    lines kept = {0};
    optinc_log log = {keep, &kept}, silent = {NULL, &kept};
    char line[800];

    (void)state;
    oi_log(&log, OPTINC_LOG_WARNING, "%d of %s", 3, "four");
    assert_int_equal(kept.count, 1);
    assert_int_equal(kept.level, OPTINC_LOG_WARNING);
    assert_string_equal(kept.last, "3 of four");
    assert_int_equal(oi_fail(&log, OPTINC_ERR_FORMAT, "bad %c", 'x'), OPTINC_ERR_FORMAT);
    assert_int_equal(kept.level, OPTINC_LOG_ERROR);
    assert_string_equal(kept.last, "bad x");
    assert_int_equal(oi_fail(NULL, OPTINC_ERR_IO, "unheard"), OPTINC_ERR_IO);
    assert_int_equal(oi_fail(&silent, OPTINC_ERR_IO, "unheard"), OPTINC_ERR_IO);
    assert_int_equal(kept.count, 2);
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    oi_log(&log, OPTINC_LOG_INFO, "%s", line);
    assert_int_equal(strlen(kept.last), 511);
}

static void test_checked_sizes(void **state)
{
    static const size_t values[] = {0,
                                    1,
                                    2,
                                    3,
                                    255,
                                    (size_t)1 << 31,
                                    UINT32_MAX,
                                    (size_t)1 << 32,
                                    SIZE_MAX / 3,
                                    SIZE_MAX / 2,
                                    SIZE_MAX / 2 + 1,
                                    SIZE_MAX - 1,
                                    SIZE_MAX};
    const size_t count = sizeof values / sizeof values[0];

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            size_t a = values[i], b = values[j], result = 0xA5;
            bool product_fits = a == 0 || b <= SIZE_MAX / a;

            assert_int_equal(oi_size_multiply(a, b, &result), product_fits);
            if (product_fits)
                assert_true(result == a * b);
            result = 0xA5;
            assert_int_equal(oi_size_add(a, b, &result), b <= SIZE_MAX - a);
            if (b <= SIZE_MAX - a)
                assert_true(result == a + b);
        }
}

static void test_memory_is_aligned_and_zero(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 100001};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *memory = oi_allocate(sizes[i], 1);
        uint8_t *copy;

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % OI_ALIGNMENT, 0);
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_int_equal(memory[j], 0);
            memory[j] = (uint8_t)(j * 7);
        }
        copy = oi_duplicate(memory, sizes[i], 1);
        assert_non_null(copy);
        assert_ptr_not_equal(copy, memory);
        assert_int_equal((uintptr_t)copy % OI_ALIGNMENT, 0);
        assert_memory_equal(copy, memory, sizes[i]);
        oi_free(copy);
        oi_free(memory);
    }
    oi_free(NULL);
}

static void test_memory_that_cannot_be(void **state)
{
    void *empty = oi_duplicate(NULL, 0, 8);

    (void)state;
    assert_non_null(empty);
    oi_free(empty);
    assert_null(oi_allocate(SIZE_MAX, 2));
    assert_null(oi_allocate(SIZE_MAX / 2 + 1, 2));
    assert_null(oi_allocate(SIZE_MAX, 1));
    assert_null(oi_allocate(SIZE_MAX - OI_ALIGNMENT + 1, 1));
}

/* Within enter and leave: nearest rounding and denormals; after it the caller's mode again. */
static void test_float_mode(void **state)
{
    volatile double one = 1, tiny = 0x1p-60;
    volatile float smallest = 0x1p-126f, half = 0.5f;
    oi_float_mode saved;

    (void)state;
    assert_int_equal(fesetround(FE_UPWARD), 0);
    assert_true(one + tiny > 1);
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* flush to zero, denormals are zero */
    assert_true(smallest * half == 0);
#endif
    saved = oi_float_mode_enter();
    assert_true(one + tiny == 1);
    assert_true(smallest * half > 0);
    oi_float_mode_leave(saved);
    assert_true(one + tiny > 1);
#if defined(__SSE__)
    assert_true(smallest * half == 0);
    _mm_setcsr(_mm_getcsr() & ~0x8040u);
#endif
    assert_int_equal(fesetround(FE_TONEAREST), 0);
    saved = oi_float_mode_enter();
    oi_float_mode_leave(saved);
    assert_true(one + tiny == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_its_own_text),
        cmocka_unit_test(test_version_has_three_numbers),
        cmocka_unit_test(test_log_lines),
        cmocka_unit_test(test_checked_sizes),
        cmocka_unit_test(test_memory_is_aligned_and_zero),
        cmocka_unit_test(test_memory_that_cannot_be),
        cmocka_unit_test(test_float_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
