/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this room compare with: a switch in plain integer arithmetic, and the layers in
 * plain loops. Neither uses the library's own. */
#ifndef TESTS_ONN_ORACLE_H
#define TESTS_ONN_ORACLE_H

#include "optinc/onn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ORACLE_WIDTH 1024

/* floor((T + offset) / D), T and D made from what the switch is, not from the spec's fields */
static inline uint64_t oracle_result(const uint32_t *sums, uint32_t digits, uint64_t offset,
                                     uint64_t divisor)
{
    uint64_t total = 0, weight = 1;

    for (uint32_t j = 0; j < digits; j++, weight *= 4)
        total += weight * sums[j];
    return (total + offset) / divisor;
}

/* The unit's outputs [digits_out] for digit sums [digits_in] and a rounding offset u. */
static inline void oracle_forward(const optinc_unit *unit, const uint32_t *sums, uint64_t u,
                                  double *outputs)
{
    static double x[ORACLE_WIDTH], y[ORACLE_WIDTH];
    uint32_t digits = unit->spec.bits_in / 2, q = 0;
    uint64_t divisor = (uint64_t)1 << unit->spec.divisor_log2, power = 1;

    for (; power < divisor; power *= 4)
        q++;
    for (uint32_t i = 0; i < unit->input_count; i++) {
        const optinc_input *input = &unit->inputs[i];
        double value = 0;

        if (input->digit_first >= digits) {
            uint64_t scaled = u * (power / divisor);

            for (uint32_t k = digits; k < input->digit_first; k++)
                scaled /= 4;
            x[i] = input->scale * (double)(scaled % 4);
            continue;
        }
        for (uint32_t k = input->digit_count; k-- > 0;)
            value = 4 * value + sums[input->digit_first + k];
        x[i] = input->scale * value / unit->spec.ports;
    }
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        const optinc_layer *layer = &unit->layers[l];

        assert_true(layer->rows <= ORACLE_WIDTH);
        for (uint32_t r = 0; r < layer->rows; r++) {
            double z = layer->bias[r];

            for (uint32_t c = 0; c < layer->cols; c++)
                z += layer->weight[(size_t)r * layer->cols + c] * x[c];
            if (layer->activation != OPTINC_ACTIVATION_LINEAR && z < 0)
                z = 0;
            if (layer->activation == OPTINC_ACTIVATION_SATURATING && z > 1)
                z = 1;
            y[r] = z;
        }
        for (uint32_t r = 0; r < layer->rows; r++)
            x[r] = y[r];
    }
    for (uint32_t r = 0; r < unit->spec.bits_out / 2; r++)
        outputs[r] = x[r];
}

/* Largest distance of an output from the digit of `result` that it should be. */
static inline double oracle_output_error(const optinc_unit *unit, const uint32_t *sums, uint64_t u,
                                         uint64_t result)
{
    double outputs[32], worst = 0;

    oracle_forward(unit, sums, u, outputs);
    for (uint32_t j = 0; j < unit->spec.bits_out / 2; j++, result /= 4) {
        double error = fabs(outputs[j] - (double)(result % 4));

        if (!(error <= worst))
            worst = error;
    }
    return worst;
}

/* A small generator of the tests' own (Knuth's MMIX constants). */
static inline uint32_t oracle_random(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % below);
}

/* Random digit sums; some vectors are all zero or all 3N, and some full of extremes. */
static inline void oracle_random_sums(uint64_t *state, uint32_t ports, uint32_t digits,
                                      uint32_t *sums)
{
    uint32_t kind = oracle_random(state, 16);

    for (uint32_t j = 0; j < digits; j++) {
        sums[j] = oracle_random(state, 3 * ports + 1);
        if (kind == 0)
            sums[j] = 0;
        else if (kind == 1)
            sums[j] = 3 * ports;
        else if (kind < 6)
            sums[j] = oracle_random(state, 2) * 3 * ports;
    }
}

/* Digit sums at a cascade's last switch: each port carries the sum of D/N codes of bits_out bits. */
static inline void oracle_random_port_codes(uint64_t *state, const optinc_spec *spec,
                                            uint32_t *sums)
{
    uint64_t below = ((uint64_t)1 << spec->divisor_log2) / spec->ports;
    uint64_t code_max = below * (((uint64_t)1 << spec->bits_out) - 1);
    uint32_t kind = oracle_random(state, 8);

    for (uint32_t j = 0; j < spec->bits_in / 2; j++)
        sums[j] = 0;
    for (uint32_t port = 0; port < spec->ports; port++) {
        uint64_t draw = (uint64_t)oracle_random(state, 1u << 30) << 30;
        uint64_t code = (draw + oracle_random(state, 1u << 30)) % (code_max + 1);

        if (kind < 2)
            code = kind * code_max;
        else if (kind == 2)
            code = code_max - code % 5;
        for (uint32_t j = 0; j < spec->bits_in / 2; j++, code /= 4)
            sums[j] += (uint32_t)(code % 4);
    }
}

/* Packed codes, bit by bit: code e takes bits e*bits .. e*bits+bits-1, lowest first. */
static inline size_t oracle_packed_size(uint32_t bits, size_t count)
{
    return (bits * count + 7) / 8;
}

static inline void oracle_pack(uint32_t bits, const uint64_t *codes, size_t count, uint8_t *packed)
{
    for (size_t i = 0; i < oracle_packed_size(bits, count); i++)
        packed[i] = 0;
    for (size_t i = 0; i < bits * count; i++)
        packed[i / 8] = (uint8_t)(packed[i / 8] | (codes[i / bits] >> (i % bits) & 1) << (i % 8));
}

static inline void oracle_unpack(uint32_t bits, const uint8_t *packed, size_t count,
                                 uint64_t *codes)
{
    for (size_t i = 0; i < count; i++)
        codes[i] = 0;
    for (size_t i = 0; i < bits * count; i++)
        codes[i / bits] |= (uint64_t)(packed[i / 8] >> (i % 8) & 1) << (i % bits);
}

#endif
