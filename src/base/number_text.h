/* SPDX-License-Identifier: Apache-2.0 */
/* The decimal mark of printf and strtod is the host program's; files have a point. What reads or
 * writes a file's numbers runs between enter and leave; only the calling thread is affected. */
#ifndef OI_BASE_NUMBER_TEXT_H
#define OI_BASE_NUMBER_TEXT_H

#include <locale.h>

/* Returns what is to be given to oi_number_text_leave. */
static inline locale_t oi_number_text_enter(void)
{
    /* glibc and musl have this one in static memory: it cannot fail and need not be freed */
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

static inline void oi_number_text_leave(locale_t saved)
{
    uselocale(saved);
}

#endif
