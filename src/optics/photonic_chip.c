/* SPDX-License-Identifier: Apache-2.0 */
/* A chip of a unit: every circuit compiled with the chip's errors, the receivers' gains set, and the
 * noise that they add. */
#include <math.h>

#include "base/memory.h"
#include "base/philox.h"
#include "optics/photonic.h"

#define ELECTRON_CHARGE_C 1.602176634e-19

void oi_photonic_chip_destroy(oi_photonic_chip **chip)
{
    if (!chip || !*chip)
        return;
    oi_free((*chip)->in_phase);
    oi_free((*chip)->quadrature);
    oi_free((*chip)->sigma);
    oi_free(*chip);
    *chip = NULL;
}

/* Noise of a homodyne receiver as an amplitude, 1 being the modulator's full scale. The balanced
 * diodes' difference is I = 2 R sqrt(P_lo P) a; its shot noise 2 q R P_lo B, the amplifier's thermal
 * noise i^2 B. B is half the symbol rate. */
double oi_receiver_sigma(const optinc_device *device)
{
    double bandwidth_hz = 0.5e9 * device->symbol_rate_gbaud;
    double oscillator_w = 1e-3 * device->local_oscillator_power_mw;
    double light_w = 1e-3 * device->laser_power_mw * pow(10, -device->modulator_loss_db / 10);
    double thermal_a = 1e-12 * device->receiver_noise_pa_per_sqrt_hz;
    double variance = thermal_a * thermal_a * bandwidth_hz;

    variance += device->receiver_shot_noise * 2 * ELECTRON_CHARGE_C *
                device->detector_responsivity_a_per_w * oscillator_w * bandwidth_hz;
    return sqrt(variance) /
           (2 * device->detector_responsivity_a_per_w * sqrt(oscillator_w * light_w));
}

double oi_intensity_noise(const optinc_device *device)
{
    if (device->laser_rin_db_per_hz <= -299)
        return 0;
    return sqrt(pow(10, device->laser_rin_db_per_hz / 10) * 0.5e9 * device->symbol_rate_gbaud);
}

/* What is measured of each row when the chip is set up: the gain that brings it closest to what it
 * should be, sum W c / sum c^2. It makes up for the loss that all of a row's light has in common. */
static double fit_gain(const double *target, const double *compiled, uint32_t count)
{
    double across = 0, square = 0;

    for (uint32_t i = 0; i < count; i++) {
        across += target[i] * compiled[2 * i];
        square += compiled[2 * i] * compiled[2 * i];
    }
    return square > 0 ? across / square : 0;
}

static optinc_status compile_layer(const oi_photonic *photonic, uint32_t l,
                                   const optinc_device *device, const optinc_chip *which,
                                   oi_photonic_chip *chip, size_t at, size_t receiver,
                                   double *scratch)
{
    const oi_photonic_layer *layer = &photonic->layers[l];
    double amplitude_sigma = oi_receiver_sigma(device);
    optinc_status status = optinc_circuit_compile(layer->circuit, device, which, scratch);

    if (status)
        return status;
    for (uint32_t r = 0; r < layer->rows; r++) {
        const double *row = scratch + 2 * (size_t)r * layer->inputs;
        double gain = fit_gain(layer->target + (size_t)r * layer->inputs, row, layer->inputs);

        for (uint32_t c = 0; c < layer->inputs; c++, at++) {
            bool modulated = c < photonic->unit->layers[l].cols;

            chip->in_phase[at] = gain * row[2 * c];
            if (chip->quadrature && modulated)
                chip->quadrature[at] = -gain * row[2 * c + 1] * chip->leakage;
        }
        chip->sigma[receiver + r] = fabs(gain) * amplitude_sigma;
    }
    return OPTINC_OK;
}

optinc_status oi_photonic_chip_create(const oi_photonic *photonic,
                                      const optinc_photonic_options *options, uint32_t number,
                                      oi_photonic_chip **chip)
{
    const optinc_device ideal = optinc_device_ideal();
    const optinc_device *device = &options->device;
    oi_photonic_chip *made = oi_allocate(1, sizeof *made);
    size_t at = 0, receiver = 0, largest = 0;
    double *scratch;
    uint32_t word[4];
    optinc_status status = OPTINC_OK;

    *chip = made;
    if (!made)
        return OPTINC_ERR_OUT_OF_MEMORY;
    for (uint32_t l = 0; l < photonic->layer_count; l++) {
        size_t size = (size_t)photonic->layers[l].rows * photonic->layers[l].inputs;

        largest = size > largest ? size : largest;
    }
    made->fault_layer = options->fault_layer;
    /* 0 stands for an ideal modulator, as in the device files */
    if (device->modulator_extinction_db > 0)
        made->leakage = pow(10, -device->modulator_extinction_db / 20);
    if (device->laser_rin_db_per_hz > -299)
        made->noise_share =
            sqrt(pow(10, device->laser_rin_db_per_hz / 10) * 0.5e9 * device->symbol_rate_gbaud);
    made->in_phase = oi_allocate(photonic->matrix_count, sizeof(double));
    made->sigma = oi_allocate(photonic->receiver_count, sizeof(double));
    scratch = oi_allocate(largest, 2 * sizeof *scratch);
    if (made->leakage > 0)
        made->quadrature = oi_allocate(photonic->matrix_count, sizeof(double));
    if (!made->in_phase || !made->sigma || !scratch || (made->leakage > 0 && !made->quadrature))
        status = OPTINC_ERR_OUT_OF_MEMORY;
    oi_philox(options->seed, photonic->salt, 0, OI_PURPOSE_FABRICATION, word);
    for (uint32_t l = 0; l < photonic->layer_count && !status; l++) {
        const oi_photonic_layer *layer = &photonic->layers[l];
        const optinc_chip which = {.seed = ((uint64_t)word[1] << 32) | word[0],
                                   .chip = number,
                                   .layer = l,
                                   .drift_time_s = options->drift_time_s,
                                   .correct_errors = options->correct_errors,
                                   .search_steps = options->search_steps,
                                   .self_configure = options->self_configure};
        bool faulty = oi_is_faulty(options->fault_layer, l);

        status = compile_layer(photonic, l, faulty ? device : &ideal, &which, made, at, receiver,
                               scratch);
        at += (size_t)layer->rows * layer->inputs;
        receiver += layer->rows;
    }
    oi_free(scratch);
    if (status)
        oi_photonic_chip_destroy(chip);
    return status;
}
