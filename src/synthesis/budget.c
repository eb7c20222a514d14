/* SPDX-License-Identifier: Apache-2.0 */
/* Area, power, latency, loss and noise of a design with given components, and whether it can work
 * (DESIGN.md section 6; rules in docs/optics.md). */
#include "optinc/synthesis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "optics/cell.h"
#include "optics/photonic.h"

#define UM2_PER_MM2 1e6
#define LIGHT_UM_PER_PS 299.792458
/* Errors of 1e-10 a decision. */
#define SIGMAS_NEEDED 6.5

static double decibel(double power_ratio)
{
    return 10 * log10(power_ratio);
}

/* The worst receiver: matrix [rows, cols] complex with the losses in it. */
static void find_worst(const oi_photonic_layer *layer, const optinc_device *device,
                       const double *matrix, optinc_layer_budget *budget)
{
    double launched_dbm = decibel(device->laser_power_mw) - device->modulator_loss_db;
    double sigma = oi_receiver_sigma(device), share = oi_intensity_noise(device);
    const double *gain = optinc_circuit_gain(layer->circuit);

    budget->received_dbm_min = budget->snr_db_min = INFINITY;
    budget->gain_db_max = -INFINITY;
    for (uint32_t r = 0; r < layer->rows; r++) {
        double largest = 0, target = 0, noise;

        if (gain[r] == 0)
            continue;
        for (uint32_t c = 0; c < layer->inputs; c++) {
            size_t at = (size_t)r * layer->inputs + c;

            largest += hypot(matrix[2 * at], matrix[2 * at + 1]);
            target += fabs(layer->target[at]);
        }
        /* A saturating unit is a limiting amplifier: its swing counts, its slope is free. */
        if (layer->activation == OPTINC_ACTIVATION_SATURATING)
            target = fmin(target, 1);
        noise = hypot(sigma, share * largest);
        budget->received_dbm_min =
            fmin(budget->received_dbm_min, launched_dbm + 2 * decibel(largest));
        budget->gain_db_max = fmax(budget->gain_db_max, 2 * decibel(target / largest));
        if (noise > 0)
            budget->snr_db_min = fmin(budget->snr_db_min, 2 * decibel(largest / noise));
    }
}

static optinc_status layer_budget(const oi_photonic *photonic, uint32_t l,
                                  optinc_layer_budget *budget)
{
    const oi_photonic_layer *layer = &photonic->layers[l];
    const optinc_device *device = &photonic->options.device;
    optinc_circuit_info info = optinc_circuit_describe(layer->circuit);
    double length_um = device->modulator_length_um + info.path_mzis_max * device->mzi_length_um;
    double *matrix = oi_allocate((size_t)layer->rows * layer->inputs, 2 * sizeof *matrix);
    optinc_device lossy = optinc_device_ideal();
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    lossy.mzi_loss_db = device->mzi_loss_db;
    lossy.splitter_loss_db = device->splitter_loss_db;
    if (matrix)
        status = optinc_circuit_compile(layer->circuit, &lossy, NULL, matrix);
    if (!status) {
        double area_um2, power_mw;

        *budget = (optinc_layer_budget){
            .mzis = info.mzi_count, .modulators = layer->inputs, .receivers = layer->rows};
        find_worst(layer, device, matrix, budget);
        budget->loss_db_max = device->modulator_loss_db + info.path_mzis_max * device->mzi_loss_db +
                              info.path_splitters_max * device->splitter_loss_db +
                              1e-4 * length_um * device->waveguide_loss_db_per_cm;
        budget->latency_ps =
            length_um * device->group_index / LIGHT_UM_PER_PS + device->amplifier_latency_ps;
        /* One laser a modulator; a receiver has two diodes and an amplifier. */
        area_um2 = (double)info.mzi_count * device->mzi_length_um * device->mzi_width_um +
                   layer->inputs * (device->modulator_length_um * device->modulator_width_um +
                                    device->laser_area_um2) +
                   layer->rows * device->amplifier_area_um2;
        /* fJ per bit times 2 bits a symbol times Gbaud is uW */
        power_mw = info.phase_sum_rad / OI_PI * device->shifter_pi_power_mw +
                   layer->inputs *
                       (2e-3 * device->modulator_energy_fj_per_bit * device->symbol_rate_gbaud +
                        device->laser_power_mw / device->laser_efficiency) +
                   layer->rows * (2 * device->detector_power_mw + device->amplifier_power_mw +
                                  device->local_oscillator_power_mw / device->laser_efficiency);
        budget->area_mm2 = area_um2 / UM2_PER_MM2;
        budget->power_w = 1e-3 * power_mw;
    }
    oi_free(matrix);
    return status;
}

optinc_status optinc_unit_budget(const optinc_unit *unit, const optinc_photonic_options *options,
                                 const optinc_log *log, optinc_layer_budget *layers)
{
    oi_photonic *photonic = NULL;
    optinc_status status;

    if (!unit || !layers)
        return OPTINC_ERR_INVALID_ARGUMENT;
    status = oi_photonic_create(unit, options, log, &photonic);
    for (uint32_t l = 0; l < unit->layer_count && !status; l++)
        status = layer_budget(photonic, l, &layers[l]);
    oi_photonic_destroy(&photonic);
    return status;
}

/* Headroom of a layer in dB, the least of three: light above the detector's sensitivity, gain below
 * the amplifier's, signal above the noise. */
typedef struct headroom {
    double db;
    enum { LIGHT, GAIN, NOISE } kind;
} headroom;

static headroom find_headroom(const optinc_layer_budget *layer, const optinc_device *device,
                              double snr_db_needed)
{
    headroom found = {layer->received_dbm_min - device->detector_sensitivity_dbm, LIGHT};

    if (device->receiver_gain_db_max - layer->gain_db_max < found.db)
        found = (headroom){device->receiver_gain_db_max - layer->gain_db_max, GAIN};
    if (layer->snr_db_min - snr_db_needed < found.db)
        found = (headroom){layer->snr_db_min - snr_db_needed, NOISE};
    return found;
}

static void write_verdict(optinc_budget *budget, const optinc_device *device, headroom worst)
{
    char where[48];
    size_t size = sizeof budget->verdict;

    budget->feasible = worst.db >= 0;
    snprintf(where, sizeof where, "level %u, layer %u", budget->limit_level, budget->limit_layer);
    if (budget->feasible)
        snprintf(budget->verdict, size, "feasible; least headroom %.1f dB (%s) at %s", worst.db,
                 worst.kind == LIGHT  ? "light at a receiver"
                 : worst.kind == GAIN ? "gain of a receiver"
                                      : "signal over noise",
                 where);
    else if (worst.kind == LIGHT && budget->laser_mw_needed <= device->laser_power_mw_max)
        snprintf(budget->verdict, size,
                 "not feasible: light is %.1f dB too weak at %s; %.3g mW into every modulator "
                 "would mend it",
                 -worst.db, where, budget->laser_mw_needed);
    else if (worst.kind == LIGHT)
        snprintf(budget->verdict, size,
                 "not feasible: light is %.1f dB too weak at %s, more than any laser makes up for; "
                 "it needs shallower circuits (segmented or direct) or MZIs of less loss",
                 -worst.db, where);
    else if (worst.kind == GAIN)
        snprintf(
            budget->verdict, size,
            "not feasible: a receiver needs %.1f dB more gain at %s; a layer split in two with "
            "regeneration between them, or MZIs of less loss",
            -worst.db, where);
    else
        snprintf(budget->verdict, size,
                 "not feasible: signal over noise is %.1f dB short at %s; more laser or oscillator "
                 "power, or a slower symbol rate",
                 -worst.db, where);
}

/* Adds the units of one level, which work side by side. */
static void add_level(optinc_budget *budget, const optinc_unit *unit,
                      const optinc_layer_budget *layers, double units)
{
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        const optinc_layer_budget *layer = &layers[l];

        budget->mzis += (uint64_t)units * layer->mzis;
        budget->area_mm2 += units * layer->area_mm2;
        budget->power_w += units * layer->power_w;
        budget->latency_ps += layer->latency_ps;
        budget->loss_db_max = fmax(budget->loss_db_max, layer->loss_db_max);
        budget->received_dbm_min = fmin(budget->received_dbm_min, layer->received_dbm_min);
        budget->gain_db_max = fmax(budget->gain_db_max, layer->gain_db_max);
        budget->snr_db_min = fmin(budget->snr_db_min, layer->snr_db_min);
    }
}

static optinc_status budget_levels(const optinc_design *design,
                                   const optinc_photonic_options *options, const optinc_log *log,
                                   optinc_layer_budget *layers, optinc_budget *budget,
                                   headroom *worst)
{
    double units = 1;

    for (uint32_t level = optinc_design_level_count(design); level-- > 0;) {
        const optinc_unit *unit = optinc_design_unit(design, level);
        double needed = 2 * decibel(2 * SIGMAS_NEEDED * (3.0 * unit->spec.ports + 3));
        optinc_status status = optinc_unit_budget(unit, options, log, layers);

        if (status)
            return status;
        add_level(budget, unit, layers, units);
        budget->snr_db_needed = fmax(budget->snr_db_needed, needed);
        for (uint32_t l = 0; l < unit->layer_count; l++) {
            headroom found = find_headroom(&layers[l], &options->device, needed);

            if (found.db < worst->db) {
                *worst = found;
                budget->limit_level = level;
                budget->limit_layer = l + 1;
            }
        }
        units *= unit->spec.ports;
    }
    return OPTINC_OK;
}

optinc_status optinc_design_budget(const optinc_design *design,
                                   const optinc_photonic_options *options, const optinc_log *log,
                                   optinc_budget *budget)
{
    const optinc_photonic_options defaults = optinc_photonic_defaults();
    optinc_layer_budget *layers;
    headroom worst = {INFINITY, LIGHT};
    optinc_status status;

    if (!design || !budget)
        return OPTINC_ERR_INVALID_ARGUMENT;
    if (!options)
        options = &defaults;
    *budget = (optinc_budget){.received_dbm_min = INFINITY,
                              .gain_db_max = -INFINITY,
                              .snr_db_min = INFINITY,
                              .limit_layer = 1};
    layers = oi_allocate(OPTINC_LAYERS_MAX, sizeof *layers);
    if (!layers)
        return OPTINC_ERR_OUT_OF_MEMORY;
    status = budget_levels(design, options, log, layers, budget, &worst);
    oi_free(layers);
    if (status)
        return status;
    /* one element is M symbols, all at once: W over Gbaud is nJ */
    budget->energy_pj = 1e3 * budget->power_w / options->device.symbol_rate_gbaud;
    budget->laser_mw_needed =
        options->device.laser_power_mw *
        pow(10, (options->device.detector_sensitivity_dbm - budget->received_dbm_min) / 10);
    write_verdict(budget, &options->device, worst);
    return OPTINC_OK;
}
