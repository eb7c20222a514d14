/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a unit in double precision, a tile of elements at a time.
 *
 * Every sum is b + w_0 x_0 + w_1 x_1 + ... in this order, each step one fused multiply-add, whatever
 * the kernel and wherever in a tile the element is. So an element's value has the same bits for every
 * batch split, thread count and CPU; a BLAS promises none of this. */
#ifndef OI_ONN_FORWARD_H
#define OI_ONN_FORWARD_H

#include "optinc/switch.h"

#define OI_TILE 64u /* elements; tiles are [rows][OI_TILE], their tails are computed and ignored */

/* y = act(W x + b) of a tile: x [cols][OI_TILE], y [rows][OI_TILE], both 64-byte aligned. */
typedef void (*oi_layer_kernel)(const optinc_layer *layer, const double *x, double *y);

void oi_layer_plain(const optinc_layer *layer, const double *x, double *y);
void oi_layer_avx2(const optinc_layer *layer, const double *x, double *y);
void oi_layer_avx512(const optinc_layer *layer, const double *x, double *y);

/* The activation of one value, NaN to 0 where it is not linear: what the vector kernels' maximum and
 * minimum instructions do. */
static inline double oi_activate(optinc_activation activation, double x)
{
    if (activation == OPTINC_ACTIVATION_LINEAR)
        return x;
    x = x > 0.0 ? x : 0.0;
    return activation == OPTINC_ACTIVATION_SATURATING && !(x < 1.0) ? 1.0 : x;
}

/* The receiver: the nearest of 0 .. 3; halfway up, NaN to 0. */
static inline uint32_t oi_slice(double y)
{
    return (uint32_t)(y >= 0.5) + (uint32_t)(y >= 1.5) + (uint32_t)(y >= 2.5);
}

/* What P makes of digit sums: `sum` = sum_k 4^k s_(digit_first+k), or a digit at a bias port. */
double oi_input_value(const optinc_unit *unit, const optinc_input *input, uint64_t sum);

typedef struct oi_network {
    const optinc_unit *unit; /* borrowed */
    oi_layer_kernel kernel;
    uint32_t digits_in;   /* M */
    uint32_t digits_bias; /* q of the stochastic variant, else 0 */
    uint32_t digits_out;
    uint32_t width_max; /* of the inputs and all layers */
} oi_network;

/* OPTINC_ERR_UNSUPPORTED for a unit without layers, and for a kernel that this CPU lacks. */
optinc_status oi_network_init(const optinc_unit *unit, optinc_kernel kernel, const optinc_log *log,
                              oi_network *network) OPTINC_WARN_UNUSED;

/* doubles of a run's scratch, 64-byte aligned; 0 if that overflows size_t in bytes */
size_t oi_network_scratch_count(const oi_network *network);

/* sums [digits_in + digits_bias][OI_TILE]: digit sums, then the digits at the bias ports. Returns the
 * outputs [digits_out][OI_TILE], a part of the scratch. */
const double *oi_network_run(const oi_network *network, const uint32_t *sums, double *scratch);

/* Splits c u = u 4^q / D into the base-4 digits of the bias ports: sums [digits_bias][OI_TILE]. */
void oi_network_set_offset(const oi_network *network, uint64_t offset, uint32_t element,
                           uint32_t *bias_sums);

#endif
