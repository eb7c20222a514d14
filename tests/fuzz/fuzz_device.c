/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are read as a device file or refused; what is read is in range, and reads so again. */
#include <stdlib.h>
#include <string.h>

#include "optinc/optics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    optinc_device first, second;

    memset(&first, 0xA5, sizeof first);
    memset(&second, 0xA5, sizeof second);
    if (optinc_device_parse(data, size, "fuzz", NULL, &first))
        return 0;
    if (optinc_device_check(&first, NULL) ||
        optinc_device_parse(data, size, "fuzz", NULL, &second) ||
        memcmp(&first, &second, sizeof first))
        abort();
    return 0;
}
