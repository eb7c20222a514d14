/* SPDX-License-Identifier: Apache-2.0 */
/* A unit as circuits, receivers and modulators, and a chip of it.
 *
 * Every value travels as the real amplitude of one mode of coherent light, its sign as phase 0 or
 * pi; 1 is the full scale of the modulator that launches it. A layer's receivers beat the light with
 * a local oscillator (homodyne), so that each measures the real part of its output; its amplifier's
 * gain restores the layer's scale, the activation follows in the electrical domain, and the next
 * layer's modulators launch the result. */
#ifndef OI_OPTICS_PHOTONIC_H
#define OI_OPTICS_PHOTONIC_H

#include "optinc/optics.h"

#define OI_PHOTONIC_TILE 64u

typedef struct oi_photonic_layer {
    optinc_circuit *circuit;
    optinc_activation activation;
    uint32_t rows;
    uint32_t inputs; /* of the circuit: the layer's columns, and the bias if it is optical */
    bool optical_bias;
    double *target; /* [rows, inputs] W with its columns times the inputs' full scales */
    double *bias;   /* [rows] electronic bias; 0 where it is optical */
    double *scale;  /* [rows] 1 / full scale of the next layer's modulators; 1 for the last layer */
} oi_photonic_layer;

typedef struct oi_photonic {
    const optinc_unit *unit; /* borrowed */
    optinc_photonic_options options;
    uint64_t salt; /* of the unit: levels of a tree draw different errors */
    uint32_t layer_count;
    uint32_t receiver_count; /* of all layers */
    uint32_t width_max;
    size_t matrix_count; /* entries of all targets */
    oi_photonic_layer *layers;
    uint32_t digits_in;
    uint32_t digits_bias;
    uint32_t digits_out;
} oi_photonic;

/* A chip, compiled: its layers' matrices one behind the other. */
typedef struct oi_photonic_chip {
    double *in_phase;     /* [matrix_count] gain times the real part */
    double *quadrature;   /* [matrix_count] what the modulators' leakage adds; NULL if none */
    double *sigma;        /* [receiver_count] additive noise, in the layer's units */
    double noise_share;   /* relative-intensity noise, relative to the value */
    uint32_t fault_layer; /* whose noise it is; 0: all layers', else counted from 1 */
    double leakage;       /* amplitude of an extinguished modulator */
} oi_photonic_chip;

optinc_status oi_photonic_create(const optinc_unit *unit, const optinc_photonic_options *options,
                                 const optinc_log *log, oi_photonic **photonic);
void oi_photonic_destroy(oi_photonic **photonic);

/* Whether layer l, from 0 on, is one whose components have faults. */
static inline bool oi_is_faulty(uint32_t fault_layer, uint32_t l)
{
    return fault_layer == 0 || fault_layer == l + 1;
}

optinc_status oi_photonic_chip_create(const oi_photonic *photonic,
                                      const optinc_photonic_options *options, uint32_t number,
                                      oi_photonic_chip **chip);
void oi_photonic_chip_destroy(oi_photonic_chip **chip);

/* Noise of a receiver as an amplitude, 1 being the modulators' full scale. */
double oi_receiver_sigma(const optinc_device *device);
/* The same, relative to the value: relative-intensity noise. */
double oi_intensity_noise(const optinc_device *device);

size_t oi_photonic_scratch_size(const oi_photonic *photonic);
optinc_status oi_photonic_reduce(const oi_photonic *photonic, const oi_photonic_chip *chip,
                                 const optinc_batch *batch);
/* What the last receivers see in place of what they decide: values [element][digits_out], in units of
 * digits; with or without the receivers' noise. batch->result is not touched. */
optinc_status oi_photonic_receive(const oi_photonic *photonic, const oi_photonic_chip *chip,
                                  const optinc_batch *batch, bool noise, double *values);

/* The largest code of which N do not overflow the result: T + D/2 < D 2^bits_out. */
uint64_t oi_largest_code(const optinc_spec *spec);

/* The tile kernels, one set an instruction set; all give the same bits. */
typedef struct oi_photonic_kernels {
    /* y [rows][TILE] (+)= A [rows, cols] x [cols][TILE] */
    void (*multiply)(uint32_t rows, uint32_t cols, const double *a, const double *x, bool add,
                     double *y);
    /* two normals of every pair of words: normal [2 pair_count] */
    void (*normals)(const uint32_t *words, size_t pair_count, float *normal);
    /* y [TILE] += bias + sqrt(sigma^2 + (share y)^2) normal[i stride], then the activation and the
     * scale; normal NULL: no noise */
    void (*receive)(double *y, double bias, double sigma, double share, const float *normal,
                    size_t stride, optinc_activation activation, double scale);
    /* q [TILE] = sqrt(max(0, 1 - x^2)) */
    void (*leak)(const double *x, double *q);
} oi_photonic_kernels;

extern const oi_photonic_kernels oi_photonic_kernels_plain;
extern const oi_photonic_kernels oi_photonic_kernels_avx2;
extern const oi_photonic_kernels oi_photonic_kernels_avx512;

#endif
