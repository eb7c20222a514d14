/* SPDX-License-Identifier: Apache-2.0 */
#include "onn/forward.h"

#include "base/log.h"

#include <math.h>
#include <stdint.h>

void oi_layer_plain(const optinc_layer *layer, const double *x, double *y)
{
    for (uint32_t row = 0; row < layer->rows; row++) {
        const double *weight = layer->weight + (size_t)row * layer->cols;
        double *sum = y + (size_t)row * OI_TILE;

        for (uint32_t e = 0; e < OI_TILE; e++)
            sum[e] = layer->bias[row];
        for (uint32_t col = 0; col < layer->cols; col++)
            for (uint32_t e = 0; e < OI_TILE; e++)
                sum[e] = fma(weight[col], x[(size_t)col * OI_TILE + e], sum[e]);
        for (uint32_t e = 0; e < OI_TILE; e++)
            sum[e] = oi_activate(layer->activation, sum[e]);
    }
}

static oi_layer_kernel choose_kernel(optinc_kernel kernel)
{
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");

    if (avx512 && (kernel == OPTINC_KERNEL_AUTO || kernel == OPTINC_KERNEL_AVX512))
        return oi_layer_avx512;
    if (avx2 && (kernel == OPTINC_KERNEL_AUTO || kernel == OPTINC_KERNEL_AVX2))
        return oi_layer_avx2;
#endif
    if (kernel == OPTINC_KERNEL_AUTO || kernel == OPTINC_KERNEL_PLAIN)
        return oi_layer_plain;
    return NULL;
}

optinc_status oi_network_init(const optinc_unit *unit, optinc_kernel kernel, const optinc_log *log,
                              oi_network *network)
{
    bool stochastic = unit->spec.variant == OPTINC_VARIANT_STOCHASTIC;

    if (unit->layer_count == 0)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "the design has no layers to run");
    *network = (oi_network){.unit = unit,
                            .kernel = choose_kernel(kernel),
                            .digits_in = optinc_spec_digits_in(&unit->spec),
                            .digits_bias = stochastic ? (unit->spec.divisor_log2 + 1) / 2 : 0,
                            .digits_out = optinc_spec_digits_out(&unit->spec),
                            .width_max = unit->input_count};
    if (!network->kernel)
        return oi_fail(log, OPTINC_ERR_UNSUPPORTED, "this CPU has no kernel number %d",
                       (int)kernel);
    for (uint32_t i = 0; i < unit->layer_count; i++)
        if (unit->layers[i].rows > network->width_max)
            network->width_max = unit->layers[i].rows;
    return OPTINC_OK;
}

size_t oi_network_scratch_count(const oi_network *network)
{
    /* two tiles, in and out in turn; width_max <= 2^14, so this is at most 2^21 doubles */
    return 2 * (size_t)network->width_max * OI_TILE;
}

double oi_input_value(const optinc_unit *unit, const optinc_input *input, uint64_t sum)
{
    if (input->digit_first >= optinc_spec_digits_in(&unit->spec))
        return input->scale * (double)sum;
    return input->scale * ((double)sum / unit->spec.ports);
}

void oi_network_set_offset(const oi_network *network, uint64_t offset, uint32_t element,
                           uint32_t *bias_sums)
{
    /* u < D <= 4^q, q <= 12 */
    uint64_t value = (offset << (2 * network->digits_bias)) >> network->unit->spec.divisor_log2;

    for (uint32_t i = 0; i < network->digits_bias; i++)
        bias_sums[i * OI_TILE + element] = (uint32_t)(value >> (2 * i)) & 3;
}

static void make_inputs(const oi_network *network, const uint32_t *sums, double *x)
{
    for (uint32_t i = 0; i < network->unit->input_count; i++) {
        const optinc_input *input = &network->unit->inputs[i];
        const uint32_t *digit = sums + (size_t)input->digit_first * OI_TILE;

        for (uint32_t e = 0; e < OI_TILE; e++) {
            uint64_t sum = 0;

            /* sums below 2^8 and at most 24 digits: below 2^56 */
            for (uint32_t k = input->digit_count; k-- > 0;)
                sum = 4 * sum + digit[k * OI_TILE + e];
            x[(size_t)i * OI_TILE + e] = oi_input_value(network->unit, input, sum);
        }
    }
}

const double *oi_network_run(const oi_network *network, const uint32_t *sums, double *scratch)
{
    const optinc_unit *unit = network->unit;
    double *x = scratch;
    double *y = scratch + (size_t)network->width_max * OI_TILE;

    make_inputs(network, sums, x);
    for (uint32_t i = 0; i < unit->layer_count; i++) {
        double *previous = x;

        network->kernel(&unit->layers[i], x, y);
        x = y;
        y = previous;
    }
    return x;
}
