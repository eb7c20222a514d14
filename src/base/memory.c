/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool oi_size_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

bool oi_size_add(size_t a, size_t b, size_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

void *oi_allocate(size_t count, size_t size)
{
    size_t bytes;
    void *memory;

    if (!oi_size_multiply(count, size, &bytes) || bytes > SIZE_MAX - OI_ALIGNMENT)
        return NULL;
    /* aligned_alloc wants a multiple of the alignment */
    bytes = (bytes + OI_ALIGNMENT) / OI_ALIGNMENT * OI_ALIGNMENT;
    memory = aligned_alloc(OI_ALIGNMENT, bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

void oi_free(void *memory)
{
    free(memory);
}

void *oi_duplicate(const void *source, size_t count, size_t size)
{
    void *copy = oi_allocate(count, size);

    if (copy && count > 0)
        memcpy(copy, source, count * size);
    return copy;
}
