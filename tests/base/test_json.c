/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that is wrong and memory that runs out are told apart. Strings stay under 16 bytes: the
 * scanner's buffer for longer ones grows by the same allocators, and what it cannot hold Jansson
 * drops. */
#include "failing_memory.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static const char whole[] = "{\"a\": \"bcd\", \"key\": [\"x\", 1.5, 7, true, null, {\"b\": \"\"}], "
                            "\"\\u00e9\": \"\\\"\"}";

static optinc_status try_parse(void *user)
{
    json_error_t error;
    json_t *json = (json_t *)1;
    optinc_status status = oi_json_parse(user, strlen(user), &json, &error);

    allocations_left = NEVER;
    assert_int_equal(status == OPTINC_OK, json != NULL);
    json_decref(json);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    char text[sizeof whole];

    (void)state;
    memcpy(text, whole, sizeof whole);
    each_allocation_may_fail("parse", try_parse, text);
}

static void wrong_syntax_is_no_lack_of_memory(void **state)
{
    static const char *const texts[] = {"",
                                        "\"",
                                        "\"x\"",
                                        "[\"a",
                                        "[\"a\n\"]",
                                        "[1, 'abc']",
                                        "[\"a\" \"b\"]",
                                        "{\"a\" \"b\"}",
                                        "{1: 2}",
                                        "{\"a\": 1,}",
                                        "{\"a\": 1, \"a\": 2}",
                                        "[bad]",
                                        "[-\"x\"]",
                                        "[bad\"x\"]",
                                        "[\"\\u12\"]",
                                        "[\"\\ud800\"]",
                                        "[\"\\q\"]",
                                        "{\"\\u0000\": 1}",
                                        "[\"\\u0000\"]",
                                        "[\"\x80\"]",
                                        "[1] \"x\"",
                                        "{\"a\": 1 \"b\"",
                                        "[a_long_word_that_is_no_token_at_all]"};
    json_error_t error;
    json_t *json;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        optinc_status status = oi_json_parse(texts[i], strlen(texts[i]), &json, &error);

        if (status != OPTINC_ERR_FORMAT)
            fail_msg("%s: %s, %s", texts[i], optinc_status_text(status), error.text);
        assert_null(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(wrong_syntax_is_no_lack_of_memory),
    };

    json_set_alloc_funcs(malloc, free); /* the ones that may fail */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
