/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of the backend exact: codes of 4 bits, or of whole bytes, in and out. */
#ifndef OI_SWITCH_EXACT_H
#define OI_SWITCH_EXACT_H

#include "optinc/base.h"

/* result[i] = (base + offsets[i] + sum_port symbols[port][i]) >> shift, in codes of 4, 8, 16 or
 * 32 bits as the kernel says; what exceeds a code is cut off. */
typedef struct oi_average_job {
    const uint8_t *symbols; /* [port_count][stride] bytes; no alignment is needed */
    size_t stride;
    uint32_t port_count;
    size_t count;            /* of codes */
    uint64_t base;           /* the idle ports' codes, and D/2 where that is added */
    const uint32_t *offsets; /* [count], or NULL: none */
    uint32_t shift;
    uint8_t *result;
} oi_average_job;

/* narrow: base + offset + all codes fit in twice a code's bits; wide: in four times. */
typedef struct oi_exact_kernel {
    void (*wide4)(const oi_average_job *job);
    void (*narrow8)(const oi_average_job *job);
    void (*wide8)(const oi_average_job *job);
    void (*narrow16)(const oi_average_job *job);
    void (*wide16)(const oi_average_job *job);
    void (*narrow32)(const oi_average_job *job);
} oi_exact_kernel;

/* NULL where the library was built for another processor. */
const oi_exact_kernel *oi_exact_kernel_plain(void);
const oi_exact_kernel *oi_exact_kernel_avx2(void);
const oi_exact_kernel *oi_exact_kernel_avx512(void);

#endif
