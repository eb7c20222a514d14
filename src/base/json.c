/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdbool.h>
#include <string.h>

/* Without memory for a value Jansson gives up without a word. A whole string that it has no memory
 * for is to it a token that is none, in all versions to 2.14 at least: what is wrong with a string's
 * own syntax it says in other words, and nothing but a string ends in a quotation mark. */
static bool is_out_of_memory(const char *text, size_t size, const json_error_t *error)
{
    static const char *const no_token[] = {"invalid token", "string or '}' expected"};
    size_t end = error->position > 0 ? (size_t)error->position : 0;

    if (error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory)
        return true;
    if (end < 1 || end > size || text[end - 1] != '"')
        return false;
    for (size_t i = 0; i < sizeof no_token / sizeof no_token[0]; i++)
        if (strncmp(error->text, no_token[i], strlen(no_token[i])) == 0)
            return true;
    return false;
}

optinc_status oi_json_parse(const void *text, size_t size, json_t **json, json_error_t *error)
{
    *error = (json_error_t){0};
    *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, error);
    if (*json)
        return OPTINC_OK;
    return is_out_of_memory(text, size, error) ? OPTINC_ERR_OUT_OF_MEMORY : OPTINC_ERR_FORMAT;
}
