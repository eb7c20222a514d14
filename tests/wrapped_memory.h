/* SPDX-License-Identifier: Apache-2.0 */
/* Sends the library's and the test's calls of the allocators through may_allocate, which the test
 * that includes this defines; where it says false there is no memory. tests/CMakeLists.txt has the
 * linker wrap them. */
#ifndef TESTS_WRAPPED_MEMORY_H
#define TESTS_WRAPPED_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static bool may_allocate(size_t size);

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return may_allocate(size) ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate(count * size) ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    return may_allocate(size) ? __real_realloc(memory, size) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return may_allocate(size) ? __real_aligned_alloc(alignment, size) : NULL;
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    return may_allocate(size) ? __real_posix_memalign(memory, alignment, size) : ENOMEM;
}

char *__wrap_strdup(const char *text)
{
    return may_allocate(0) ? __real_strdup(text) : NULL;
}

#endif
