/* SPDX-License-Identifier: Apache-2.0 */
#include "switch/exact_loops.h"

OI_DEFINE_AVERAGE(narrow8, uint8_t, uint16_t)
OI_DEFINE_AVERAGE(wide8, uint8_t, uint32_t)
OI_DEFINE_AVERAGE(narrow16, uint16_t, uint32_t)
OI_DEFINE_AVERAGE(wide16, uint16_t, uint64_t)
OI_DEFINE_AVERAGE(narrow32, uint32_t, uint64_t)

const oi_exact_kernel *oi_exact_kernel_plain(void)
{
    static const oi_exact_kernel kernel = {
        oi_average_all_nibbles, narrow8, wide8, narrow16, wide16, narrow32};

    return &kernel;
}
