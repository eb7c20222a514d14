/* SPDX-License-Identifier: Apache-2.0 */
#include "optinc/base.h"

const char *optinc_status_text(optinc_status status)
{
    switch (status) {
#define STATUS_CASE(name, value, text)                                                             \
    case OPTINC_##name:                                                                            \
        return text;
        OPTINC_STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}

const char *optinc_version(void)
{
    return OPTINC_VERSION_STRING;
}
