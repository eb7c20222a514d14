/* SPDX-License-Identifier: Apache-2.0 */
/* The carry chain of a spec in integers (docs/proofs.md):
 *     x_i = c s_i + carry_i + o_i,  carry_(i+1) = floor(x_i / 4),  digit_i = x_i mod 4
 * with q = ceil(log2 D / 2), c = 4^q / D and digits q .. q+M_out-1 as the result. It holds because
 * sum_i 4^i (c s_i + o_i) = c (T + offset), and floor(c (T + offset) / 4^q) = floor((T + offset) / D).
 * Construction and proof share it; it knows nothing of weights.
 *
 * With L = q + M_out stages, x_i = floor((c T + offset, of digits 0 .. i alone) / 4^i). A result
 * within bits_out means c (T + offset) < 4^L, so x_i < 4^(L-i); what would exceed that cannot occur
 * (only the last switch of a cascade could be sent it, see optinc_spec_check). */
#ifndef OI_ONN_STAGES_H
#define OI_ONN_STAGES_H

#include "optinc/reference.h"

#define OI_STAGES_MAX 40u       /* q <= 12 and M_out <= 28 */
#define OI_STAGE_VALUE_MAX 520u /* x_i <= 2 * 192 + 3 + x_(i-1) / 4 <= 4 / 3 * 387 */

typedef struct oi_stages {
    uint32_t count;                      /* L = q + M_out */
    uint32_t first_out;                  /* q: the lowest stage whose digit is part of the result */
    uint32_t gain;                       /* c: 1 or 2 */
    uint32_t digits_in;                  /* M, but at most L: a digit sum beyond is always 0 */
    uint32_t sum_max[OI_STAGES_MAX];     /* largest s_i */
    uint32_t offset[OI_STAGES_MAX];      /* o_i, or its largest value where it is an input */
    uint32_t offset_step[OI_STAGES_MAX]; /* an input's values are 0, step .. offset; 0: constant */
    uint32_t value_max[OI_STAGES_MAX];   /* largest x_i */
} oi_stages;

/* spec must have passed optinc_spec_check. */
void oi_stages_of(const optinc_spec *spec, oi_stages *stages);

#endif
