/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

optinc_status oi_json_parse(const void *text, size_t size, json_t **json, json_error_t *error)
{
    *error = (json_error_t){0};
    *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, error);
    if (*json)
        return OPTINC_OK;
    /* where there is no memory for a value Jansson gives up without a word; for a string it speaks of
     * an invalid token */
    return error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory
               ? OPTINC_ERR_OUT_OF_MEMORY
               : OPTINC_ERR_FORMAT;
}
