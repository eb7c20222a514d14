/* SPDX-License-Identifier: Apache-2.0 */
/* Do all ranks hold the same values? A packet carries every value v and its complement ~v through
 * one byte-wise MAX all-reduce: afterwards max(~v) = ~max(v) in every byte if and only if all ranks
 * sent the same, since max(~v) = ~min(v). The answer is made from data that is the same on all
 * ranks, so all of them come to the same verdict. A rank that cannot go on sends its status instead
 * of leaving the others to wait. */
#ifndef OI_COLLECTIVE_AGREEMENT_H
#define OI_COLLECTIVE_AGREEMENT_H

#include "optinc/base.h"

/* Bytes of a packet of `field_count` values. */
#define OI_AGREEMENT_SIZE(field_count) (16u * (field_count) + 1u)

typedef struct oi_agreement_field {
    const char *name; /* for the log */
    uint64_t value;
} oi_agreement_field;

/* packet [OI_AGREEMENT_SIZE(field_count)]; `fault` is OPTINC_OK, or why this rank cannot go on. */
void oi_agreement_write(const oi_agreement_field *fields, uint32_t field_count, optinc_status fault,
                        uint8_t *packet);

/* After the MAX: the fault of a rank that had one (the largest code where there are several), else
 * OPTINC_ERR_MISMATCH if any value differs, else OPTINC_OK; what differs is logged. */
optinc_status oi_agreement_read(const oi_agreement_field *fields, uint32_t field_count,
                                const uint8_t *packet, const optinc_log *log) OPTINC_WARN_UNUSED;

#endif
