/* SPDX-License-Identifier: Apache-2.0 */
/* Elements through a chip, a tile at a time: ports' symbols -> combined amplitudes -> layers ->
 * slicer -> symbols. Every element's arithmetic is the same wherever in a tile it stands, so the bits
 * do not depend on how a message is cut. */
#include <math.h>
#include <string.h>

#include "base/float_mode.h"
#include "base/philox.h"
#include "optics/photonic.h"

#define TILE OI_PHOTONIC_TILE

typedef struct run {
    const oi_photonic *photonic;
    const oi_photonic_chip *chip;
    const optinc_batch *batch;
    const oi_photonic_kernels *kernels;
    uint64_t noise_seed;
    size_t noise_words; /* an element's, a multiple of 4; 0: no noise */
    double *x;          /* [width_max + 1][TILE] */
    double *y;
    double *leaked; /* [width_max + 1][TILE] */
    double *sums;   /* [digits_in + digits_bias][TILE] */
    double *leaked_sums;
    uint32_t *words; /* [TILE][noise_words] */
    float *normals;
    double *values; /* where the receivers' values go in place of decisions; NULL: decide */
} run;

static size_t noise_word_count(const oi_photonic *photonic)
{
    return ((size_t)photonic->receiver_count + 3) / 4 * 4;
}

static size_t wide_count(const oi_photonic *photonic)
{
    return ((size_t)photonic->width_max + 1) * TILE;
}

static size_t sum_count(const oi_photonic *photonic)
{
    return (size_t)(photonic->digits_in + photonic->digits_bias) * TILE;
}

size_t oi_photonic_scratch_size(const oi_photonic *photonic)
{
    return (3 * wide_count(photonic) + 2 * sum_count(photonic)) * sizeof(double) +
           noise_word_count(photonic) * TILE * (sizeof(uint32_t) + sizeof(float));
}

static const oi_photonic_kernels *choose_kernels(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return &oi_photonic_kernels_avx512;
    if (__builtin_cpu_supports("avx2"))
        return &oi_photonic_kernels_avx2;
#endif
    return &oi_photonic_kernels_plain;
}

/* sqrt(1 - (d/3)^2) of the four levels: the quadrature leakage of a port's modulator. */
static const double level_leak[4] = {1.0, 0.94280904158206336587, 0.74535599249992989880, 0.0};

/* sums += the digits of `count` codes of one port, from element `first` of the batch */
static void add_port(const run *w, const uint8_t *symbols, size_t first, uint32_t count)
{
    uint32_t digits = w->photonic->digits_in;
    size_t symbol = first * digits;

    for (uint32_t e = 0; e < count; e++)
        for (uint32_t j = 0; j < digits; j++, symbol++) {
            uint32_t digit = (uint32_t)(symbols[symbol / 4] >> (2 * (symbol % 4))) & 3u;

            w->sums[(size_t)j * TILE + e] += (double)digit;
            if (w->leaked_sums)
                w->leaked_sums[(size_t)j * TILE + e] += level_leak[digit];
        }
}

/* sum_j 4^j s_j and the like of all ports, idle ones included. */
static void combine_ports(const run *w, size_t first, uint32_t count)
{
    const optinc_spec *spec = &w->photonic->unit->spec;
    uint32_t idle = spec->ports - w->batch->port_count;

    for (uint32_t j = 0; j < w->photonic->digits_in; j++) {
        uint32_t digit = (uint32_t)(spec->zero_code >> (2 * j)) & 3u;

        for (uint32_t e = 0; e < TILE; e++) {
            w->sums[(size_t)j * TILE + e] = idle * digit;
            if (w->leaked_sums)
                w->leaked_sums[(size_t)j * TILE + e] = idle * level_leak[digit];
        }
    }
    for (uint32_t port = 0; port < w->batch->port_count; port++)
        add_port(w, w->batch->symbols + port * w->batch->port_stride_bytes, first, count);
}

/* Digits of u 4^q / D at the bias ports, u the element's rounding offset. */
static void set_offsets(const run *w, size_t first, uint32_t count)
{
    const oi_photonic *photonic = w->photonic;
    const optinc_spec *spec = &photonic->unit->spec;
    uint32_t shift = 2 * photonic->digits_bias - spec->divisor_log2;

    for (uint32_t e = 0; e < TILE; e++) {
        uint64_t element = w->batch->stream.element_first + first + e, offset = 0;

        if (e < count)
            offset = optinc_reference_offset(spec, &w->batch->stream, element) << shift;
        for (uint32_t i = 0; i < photonic->digits_bias; i++) {
            uint32_t digit = (uint32_t)(offset >> (2 * i)) & 3u;
            size_t at = (size_t)(photonic->digits_in + i) * TILE + e;

            w->sums[at] = digit;
            if (w->leaked_sums)
                w->leaked_sums[at] = level_leak[digit];
        }
    }
}

/* An input's amplitude relative to its full scale: sum_k 4^k s_k / ((4^n - 1) N), s up to 3 N; its
 * leakage is the same mixture of the ports'. */
static void make_inputs(const run *w)
{
    const optinc_unit *unit = w->photonic->unit;

    for (uint32_t i = 0; i < unit->input_count; i++) {
        const optinc_input *input = &unit->inputs[i];
        uint32_t ports = input->digit_first < w->photonic->digits_in ? unit->spec.ports : 1;
        double full = (double)((UINT64_C(1) << (2 * input->digit_count)) - 1) * ports;
        double *x = w->x + (size_t)i * TILE, *leaked = w->leaked + (size_t)i * TILE;

        memset(x, 0, TILE * sizeof *x);
        memset(leaked, 0, TILE * sizeof *leaked);
        for (uint32_t k = 0; k < input->digit_count; k++) {
            size_t from = (size_t)(input->digit_first + k) * TILE;
            double share = (double)(UINT64_C(1) << (2 * k)) / full;

            if (input->scale < 0)
                share = -share;
            for (uint32_t e = 0; e < TILE; e++)
                x[e] += share * w->sums[from + e];
            for (uint32_t e = 0; e < TILE && w->leaked_sums; e++)
                leaked[e] += 3 * fabs(share) * w->leaked_sums[from + e];
        }
    }
}

static void run_layers(run *w)
{
    const oi_photonic *photonic = w->photonic;
    const double *matrix = w->chip->in_phase, *quadrature = w->chip->quadrature;
    uint32_t receiver = 0;

    for (uint32_t l = 0; l < photonic->layer_count; l++) {
        const oi_photonic_layer *layer = &photonic->layers[l];
        size_t size = (size_t)layer->rows * layer->inputs;
        double share = oi_is_faulty(w->chip->fault_layer, l) ? w->chip->noise_share : 0;
        double *swap = w->x;

        if (layer->optical_bias)
            for (uint32_t e = 0; e < TILE; e++)
                w->x[(size_t)(layer->inputs - 1) * TILE + e] = 1.0;
        w->kernels->multiply(layer->rows, layer->inputs, matrix, w->x, false, w->y);
        if (quadrature) {
            if (l > 0)
                for (uint32_t c = 0; c < layer->inputs; c++)
                    w->kernels->leak(w->x + (size_t)c * TILE, w->leaked + (size_t)c * TILE);
            w->kernels->multiply(layer->rows, layer->inputs, quadrature, w->leaked, true, w->y);
            quadrature += size;
        }
        for (uint32_t r = 0; r < layer->rows; r++, receiver++)
            w->kernels->receive(w->y + (size_t)r * TILE, layer->bias[r], w->chip->sigma[receiver],
                                share, w->noise_words ? w->normals + receiver : NULL,
                                w->noise_words, layer->activation, layer->scale[r]);
        matrix += size;
        w->x = w->y;
        w->y = swap;
    }
}

/* The receiver's decision: the nearest of 0 .. 3; halfway up, NaN to 0. */
static void slice(const run *w, size_t first, uint32_t count)
{
    uint32_t digits = w->photonic->digits_out;
    uint8_t *result = w->batch->result + first * digits / 4;
    size_t symbol = 0;

    memset(result, 0, ((size_t)count * digits + 3) / 4);
    for (uint32_t e = 0; e < count; e++)
        for (uint32_t j = 0; j < digits; j++, symbol++) {
            double y = w->x[(size_t)j * TILE + e];
            uint32_t digit = (uint32_t)(y >= 0.5) + (uint32_t)(y >= 1.5) + (uint32_t)(y >= 2.5);

            result[symbol / 4] = (uint8_t)(result[symbol / 4] | digit << (2 * (symbol % 4)));
        }
}

/* values [element][digits_out] of the whole batch */
static void copy_values(const run *w, size_t first, uint32_t count)
{
    uint32_t digits = w->photonic->digits_out;

    for (uint32_t e = 0; e < count; e++)
        for (uint32_t j = 0; j < digits; j++)
            w->values[(first + e) * digits + j] = w->x[(size_t)j * TILE + e];
}

static void run_tile(run *w, size_t first, uint32_t count)
{
    combine_ports(w, first, count);
    if (w->photonic->digits_bias)
        set_offsets(w, first, count);
    make_inputs(w);
    if (w->noise_words) {
        uint64_t element = w->batch->stream.element_first + first;

        oi_philox_words(w->noise_seed, w->batch->stream.step, element * w->noise_words,
                        TILE * w->noise_words, OI_PURPOSE_RECEIVER, w->words);
        w->kernels->normals(w->words, TILE * w->noise_words / 2, w->normals);
    }
    run_layers(w);
    if (w->values)
        copy_values(w, first, count);
    else
        slice(w, first, count);
}

static bool is_noisy(const oi_photonic *photonic, const oi_photonic_chip *chip)
{
    if (chip->noise_share > 0)
        return true;
    for (uint32_t r = 0; r < photonic->receiver_count; r++)
        if (chip->sigma[r] > 0)
            return true;
    return false;
}

static optinc_status run_batch(const oi_photonic *photonic, const oi_photonic_chip *chip,
                               const optinc_batch *batch, bool noise, double *values)
{
    run w = {.photonic = photonic,
             .chip = chip,
             .batch = batch,
             .kernels = choose_kernels(),
             .values = values};
    double *scratch = batch->scratch;
    oi_float_mode mode;
    uint32_t word[4];

    if (batch->port_count > photonic->unit->spec.ports)
        return OPTINC_ERR_INVALID_ARGUMENT;
    w.x = scratch;
    w.y = w.x + wide_count(photonic);
    w.leaked = w.y + wide_count(photonic);
    w.sums = w.leaked + wide_count(photonic);
    if (chip->leakage > 0)
        w.leaked_sums = w.sums + sum_count(photonic);
    w.words = (uint32_t *)(w.sums + 2 * sum_count(photonic));
    w.normals = (float *)(w.words + noise_word_count(photonic) * TILE);
    if (noise && is_noisy(photonic, chip))
        w.noise_words = noise_word_count(photonic);
    oi_philox(batch->stream.seed, photonic->salt, batch->unit_index, OI_PURPOSE_RECEIVER, word);
    w.noise_seed = ((uint64_t)word[1] << 32) | word[0];
    mode = oi_float_mode_enter();
    for (size_t first = 0; first < batch->element_count; first += TILE) {
        size_t left = batch->element_count - first;

        run_tile(&w, first, left < TILE ? (uint32_t)left : TILE);
    }
    oi_float_mode_leave(mode);
    return OPTINC_OK;
}

optinc_status oi_photonic_reduce(const oi_photonic *photonic, const oi_photonic_chip *chip,
                                 const optinc_batch *batch)
{
    return run_batch(photonic, chip, batch, true, NULL);
}

optinc_status oi_photonic_receive(const oi_photonic *photonic, const oi_photonic_chip *chip,
                                  const optinc_batch *batch, bool noise, double *values)
{
    return run_batch(photonic, chip, batch, noise, values);
}
