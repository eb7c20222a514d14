/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_BASE_JSON_H
#define OI_BASE_JSON_H

#include "optinc/base.h"

#include <jansson.h>

/* A text [size] without doubled keys to *json: OPTINC_ERR_FORMAT if it is no JSON, and *error says
 * where; OPTINC_ERR_OUT_OF_MEMORY if there is no memory for it. */
optinc_status oi_json_parse(const void *text, size_t size, json_t **json,
                            json_error_t *error) OPTINC_WARN_UNUSED;

#endif
