/* SPDX-License-Identifier: Apache-2.0 */
/* Frameworks set flush-to-zero or another rounding for their own threads; the library's bits must
 * not depend on that. Every thread of a float computation runs it between enter and leave. It must
 * be a call that the compiler cannot inline, or parts of it may be moved across the switch. */
#ifndef OI_BASE_FLOAT_MODE_H
#define OI_BASE_FLOAT_MODE_H

#if defined(__SSE__)
#include <xmmintrin.h>

typedef unsigned int oi_float_mode;

#define OI_FLOAT_STATUS_BITS 0x3Fu    /* sticky exception flags */
#define OI_FLOAT_MODE_DEFAULT 0x1F80u /* nearest, denormals kept, exceptions masked */

/* Reading the register is cheap, writing it is not: it is written only where it differs. */
static inline oi_float_mode oi_float_mode_enter(void)
{
    oi_float_mode saved = _mm_getcsr();

    if ((saved & ~OI_FLOAT_STATUS_BITS) != OI_FLOAT_MODE_DEFAULT)
        _mm_setcsr(OI_FLOAT_MODE_DEFAULT);
    return saved;
}

static inline void oi_float_mode_leave(oi_float_mode saved)
{
    if ((saved & ~OI_FLOAT_STATUS_BITS) != OI_FLOAT_MODE_DEFAULT)
        _mm_setcsr(saved);
}

#else
#include <fenv.h>

typedef fenv_t oi_float_mode;

static inline oi_float_mode oi_float_mode_enter(void)
{
    fenv_t saved;

    fegetenv(&saved);
    fesetenv(FE_DFL_ENV);
    return saved;
}

static inline void oi_float_mode_leave(oi_float_mode saved)
{
    fesetenv(&saved);
}

#endif
#endif
