/* SPDX-License-Identifier: Apache-2.0 */
#include "collective/agreement.h"

#include "base/log.h"

#define VALUE_SIZE 8u

void oi_agreement_write(const oi_agreement_field *fields, uint32_t field_count, optinc_status fault,
                        uint8_t *packet)
{
    packet[0] = (uint8_t)-fault;
    packet++;
    for (uint32_t i = 0; i < field_count; i++) {
        for (uint32_t byte = 0; byte < VALUE_SIZE; byte++) {
            uint8_t v = (uint8_t)(fields[i].value >> (8 * byte));

            packet[2 * VALUE_SIZE * i + byte] = v;
            packet[2 * VALUE_SIZE * i + VALUE_SIZE + byte] = (uint8_t)~v;
        }
    }
}

optinc_status oi_agreement_read(const oi_agreement_field *fields, uint32_t field_count,
                                const uint8_t *packet, const optinc_log *log)
{
    optinc_status status = (optinc_status) - (int)packet[0];

    if (status != OPTINC_OK)
        return oi_fail(log, status, "a rank cannot take part: %s", optinc_status_text(status));
    packet++;
    for (uint32_t i = 0; i < field_count; i++) {
        const uint8_t *v = packet + 2 * VALUE_SIZE * i;

        for (uint32_t byte = 0; byte < VALUE_SIZE; byte++) {
            if ((v[byte] ^ v[VALUE_SIZE + byte]) != 0xff)
                return oi_fail(log, OPTINC_ERR_MISMATCH,
                               "the ranks disagree on the %s: this one has %llu", fields[i].name,
                               (unsigned long long)fields[i].value);
        }
    }
    return OPTINC_OK;
}
