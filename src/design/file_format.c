/* SPDX-License-Identifier: Apache-2.0 */
#include "design/file_format.h"

#include "design/crc64.h"

#include <string.h>

const char *const oi_variant_names[] = {"half_up", "stochastic", "residual", NULL};
const char *const oi_method_names[] = {"constructed", "trained", NULL};
const char *const oi_activation_names[] = {"linear", "relu", "saturating", NULL};
const char *const oi_mapping_names[] = {"svd", "segmented", "direct", NULL};
const char *const oi_proof_names[] = {"none", "exhaustive", "compositional", "sampled", NULL};

static const uint8_t *find(const uint8_t *bytes, size_t size, const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i + length <= size; i++) {
        if (memcmp(bytes + i, text, length) == 0)
            return bytes + i;
    }
    return NULL;
}

/* The key cannot stand anywhere else: tensor names do not hold quotes, and inside the "optinc" text
 * quotes are escaped. */
size_t oi_file_checksum_offset(const uint8_t *bytes, size_t header_length)
{
    static const char key[] = "\"checksum\":\"";
    const uint8_t *end = bytes + OI_FILE_LENGTH_SIZE + header_length;
    const uint8_t *at = find(bytes + OI_FILE_LENGTH_SIZE, header_length, key);

    if (!at)
        return 0;
    at += sizeof key - 1;
    if ((size_t)(end - at) < OI_FILE_CHECKSUM_DIGITS || find(at, (size_t)(end - at), key))
        return 0;
    return (size_t)(at - bytes);
}

uint64_t oi_file_checksum(const uint8_t *bytes, size_t size, size_t checksum_offset)
{
    size_t after = checksum_offset + OI_FILE_CHECKSUM_DIGITS;
    oi_crc64 crc;

    oi_crc64_begin(&crc);
    oi_crc64_update(&crc, bytes, checksum_offset);
    oi_crc64_update(&crc, "0000000000000000", OI_FILE_CHECKSUM_DIGITS);
    oi_crc64_update(&crc, bytes + after, size - after);
    return oi_crc64_end(&crc);
}
