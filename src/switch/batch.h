/* SPDX-License-Identifier: Apache-2.0 */
/* What the backends exact and table share. */
#ifndef OI_SWITCH_BATCH_H
#define OI_SWITCH_BATCH_H

#include "optinc/switch.h"

/* The rounding offsets of a batch's elements (optinc_reference_offset), offsets
 * [batch->element_count]: the same words, drawn a run at a time. */
void oi_batch_offsets(const optinc_spec *spec, const optinc_batch *batch, uint32_t *offsets);

/* The codes that the idle ports add to T. */
static inline uint64_t oi_batch_idle_total(const optinc_spec *spec, const optinc_batch *batch)
{
    return (uint64_t)(spec->ports - batch->port_count) * spec->zero_code;
}

static inline bool oi_is_little_endian(void)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
}

#endif
