/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OI_BASE_MEMORY_H
#define OI_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#define OI_ALIGNMENT 64u /* a cache line, and an AVX-512 register */

/* *product = a * b, *sum = a + b; false on overflow, the result is then unset. */
bool oi_size_multiply(size_t a, size_t b, size_t *product);
bool oi_size_add(size_t a, size_t b, size_t *sum);

/* count * size bytes aligned to OI_ALIGNMENT, zeroed; NULL if that overflows or memory is out.
 * A count of 0 gives a valid pointer. Free with oi_free. */
void *oi_allocate(size_t count, size_t size);
void oi_free(void *memory);

/* A copy of count * size bytes, as oi_allocate. source may be NULL if count is 0. */
void *oi_duplicate(const void *source, size_t count, size_t size);

#endif
