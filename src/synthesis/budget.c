/* SPDX-License-Identifier: Apache-2.0 */
/* Area, power, latency, loss and noise of a design with given components, and whether it can work
 * (docs/optics.md). */
#include "optinc/synthesis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "optics/cell.h"
#include "optics/photonic.h"
#include "optinc/layout.h"
#include "synthesis/budget.h"

#define UM2_PER_MM2 1e6
#define LIGHT_UM_PER_PS 299.792458
/* Errors of 1e-10 a decision. */
#define SIGMAS_NEEDED 6.5

double oi_decibel(double power_ratio)
{
    return 10 * log10(power_ratio);
}

double oi_snr_db_needed(const optinc_unit *unit)
{
    return 2 * oi_decibel(2 * SIGMAS_NEEDED * (3.0 * unit->spec.ports + 3));
}

double oi_received_dbm(const optinc_device *device, double light)
{
    return oi_decibel(device->laser_power_mw) - device->modulator_loss_db + 2 * oi_decibel(light);
}

double oi_snr_db(const optinc_device *device, double light)
{
    double noise = hypot(oi_receiver_sigma(device), oi_intensity_noise(device) * light);

    return noise > 0 ? 2 * oi_decibel(light / noise) : INFINITY;
}

oi_headroom oi_find_headroom(const optinc_device *device, double received_dbm, double gain_db,
                             double snr_db, double snr_db_needed)
{
    oi_headroom found = {received_dbm - device->detector_sensitivity_dbm, OI_HEADROOM_LIGHT};

    if (device->receiver_gain_db_max - gain_db < found.db)
        found = (oi_headroom){device->receiver_gain_db_max - gain_db, OI_HEADROOM_GAIN};
    if (snr_db - snr_db_needed < found.db)
        found = (oi_headroom){snr_db - snr_db_needed, OI_HEADROOM_NOISE};
    return found;
}

/* A layer as it is budgeted. */
typedef struct subject {
    const oi_photonic_layer *layer;
    const optinc_device *device;
    double snr_db_needed;
    double *matrix;      /* [rows, inputs] complex, with the losses of MZIs, splitters, crossings */
    uint32_t *crossings; /* [rows] the most on a way to each receiver */
} subject;

/* Modulator and MZIs of the layer's longest way. */
static double length_um(const subject *s)
{
    return s->device->modulator_length_um +
           optinc_circuit_describe(s->layer->circuit).path_mzis_max * s->device->mzi_length_um;
}

static double waveguide_loss_db(const subject *s)
{
    return 1e-4 * length_um(s) * s->device->waveguide_loss_db_per_cm;
}

/* *light: the amplitude of the row's largest signal. */
static optinc_receiver_budget receiver_budget(const subject *s, uint32_t r, double *light)
{
    const oi_photonic_layer *layer = s->layer;
    const optinc_device *device = s->device;
    optinc_receiver_budget found = {NAN, NAN, NAN, NAN, NAN, 0};
    double target = 0;

    *light = 0;
    if (optinc_circuit_gain(layer->circuit)[r] == 0)
        return found;
    for (uint32_t c = 0; c < layer->inputs; c++) {
        size_t at = (size_t)r * layer->inputs + c;

        *light += hypot(s->matrix[2 * at], s->matrix[2 * at + 1]);
        target += fabs(layer->target[at]);
    }
    *light *= pow(10, -waveguide_loss_db(s) / 20);
    found.crossings = s->crossings[r];
    /* A saturating unit is a limiting amplifier: its swing counts, its slope is free. */
    if (layer->activation == OPTINC_ACTIVATION_SATURATING)
        target = fmin(target, 1);
    found.received_dbm = oi_received_dbm(device, *light);
    found.loss_db = oi_decibel(device->laser_power_mw) - found.received_dbm;
    found.gain_db = 2 * oi_decibel(target / *light);
    found.snr_db = oi_snr_db(device, *light);
    found.headroom_db =
        oi_find_headroom(device, found.received_dbm, found.gain_db, found.snr_db, s->snr_db_needed)
            .db;
    return found;
}

/* receivers [rows] may be NULL. */
static void find_worst(const subject *s, optinc_layer_budget *budget,
                       optinc_receiver_budget *receivers)
{
    budget->received_dbm_min = budget->snr_db_min = budget->light_min = INFINITY;
    budget->gain_db_max = -INFINITY;
    for (uint32_t r = 0; r < s->layer->rows; r++) {
        double light;
        optinc_receiver_budget found = receiver_budget(s, r, &light);

        if (receivers)
            receivers[r] = found;
        if (isnan(found.loss_db))
            continue;
        budget->light_min = fmin(budget->light_min, light);
        budget->received_dbm_min = fmin(budget->received_dbm_min, found.received_dbm);
        budget->gain_db_max = fmax(budget->gain_db_max, found.gain_db);
        budget->snr_db_min = fmin(budget->snr_db_min, found.snr_db);
    }
}

/* Area and power of a layer. One laser a modulator; a receiver has two diodes and an amplifier. */
static void add_up(const oi_photonic_layer *layer, const optinc_device *device,
                   optinc_layer_budget *budget)
{
    optinc_circuit_info info = optinc_circuit_describe(layer->circuit);
    double cells = (double)(info.mzi_count + info.dummy_count);
    double area_um2 = cells * device->mzi_length_um * device->mzi_width_um +
                      layer->inputs * (device->modulator_length_um * device->modulator_width_um +
                                       device->laser_area_um2) +
                      layer->rows * device->amplifier_area_um2;
    double power_mw;

    budget->laser_mw = layer->inputs * device->laser_power_mw;
    budget->oscillator_mw = layer->rows * device->local_oscillator_power_mw;
    /* fJ per bit times 2 bits a symbol times Gbaud is uW */
    power_mw =
        info.phase_sum_rad / OI_PI * device->shifter_pi_power_mw +
        layer->inputs * 2e-3 * device->modulator_energy_fj_per_bit * device->symbol_rate_gbaud +
        layer->rows * (2 * device->detector_power_mw + device->amplifier_power_mw) +
        (budget->laser_mw + budget->oscillator_mw) / device->laser_efficiency;
    budget->area_mm2 = area_um2 / UM2_PER_MM2;
    budget->power_w = 1e-3 * power_mw;
}

/* The layer's matrix and the crossings of its floor plan. */
static optinc_status examine(const subject *s, optinc_crossings *crossings)
{
    optinc_device lossy = optinc_device_ideal();
    optinc_status status;

    if (!s->matrix || !s->crossings)
        return OPTINC_ERR_OUT_OF_MEMORY;
    lossy.mzi_loss_db = s->device->mzi_loss_db;
    lossy.splitter_loss_db = s->device->splitter_loss_db;
    lossy.crossing_loss_db = s->device->crossing_loss_db;
    status = optinc_circuit_compile(s->layer->circuit, &lossy, NULL, s->matrix);
    return status ? status
                  : optinc_layout_crossings(s->layer->circuit, s->device, crossings, s->crossings);
}

static void fill(const subject *s, const optinc_crossings *crossings, optinc_layer_budget *budget,
                 optinc_receiver_budget *receivers)
{
    const optinc_device *device = s->device;
    optinc_circuit_info info = optinc_circuit_describe(s->layer->circuit);

    *budget = (optinc_layer_budget){.mzis = info.mzi_count,
                                    .modulators = s->layer->inputs,
                                    .receivers = s->layer->rows,
                                    .dummies = info.dummy_count,
                                    .depth = info.path_mzis_max,
                                    .crossings = crossings->count,
                                    .path_crossings_max = crossings->path_max,
                                    .crossing_loss_db_max =
                                        crossings->path_max * device->crossing_loss_db};
    find_worst(s, budget, receivers);
    budget->loss_db_max = device->modulator_loss_db + info.path_mzis_max * device->mzi_loss_db +
                          info.path_splitters_max * device->splitter_loss_db +
                          waveguide_loss_db(s) + budget->crossing_loss_db_max;
    budget->latency_ps =
        length_um(s) * device->group_index / LIGHT_UM_PER_PS + device->amplifier_latency_ps;
    budget->laser_mw_needed =
        device->laser_power_mw *
        pow(10, (device->detector_sensitivity_dbm - budget->received_dbm_min) / 10);
    add_up(s->layer, device, budget);
}

static optinc_status layer_budget(const oi_photonic *photonic, uint32_t l,
                                  optinc_layer_budget *budget, optinc_receiver_budget *receivers)
{
    const oi_photonic_layer *layer = &photonic->layers[l];
    const subject s = {.layer = layer,
                       .device = &photonic->options.device,
                       .snr_db_needed = oi_snr_db_needed(photonic->unit),
                       .matrix =
                           oi_allocate((size_t)layer->rows * layer->inputs, 2 * sizeof *s.matrix),
                       .crossings = oi_allocate(layer->rows, sizeof *s.crossings)};
    optinc_crossings crossings;
    optinc_status status = examine(&s, &crossings);

    if (!status)
        fill(&s, &crossings, budget, receivers);
    oi_free(s.matrix);
    oi_free(s.crossings);
    return status;
}

static optinc_status unit_budget(const optinc_unit *unit, const optinc_photonic_options *options,
                                 const optinc_log *log, optinc_layer_budget *layers,
                                 optinc_receiver_budget *receivers)
{
    optinc_layer_budget unused;
    oi_photonic *photonic = NULL;
    optinc_status status = oi_photonic_create(unit, options, log, &photonic);

    for (uint32_t l = 0; l < unit->layer_count && !status; l++) {
        status = layer_budget(photonic, l, layers ? &layers[l] : &unused, receivers);
        if (receivers)
            receivers += unit->layers[l].rows;
    }
    oi_photonic_destroy(&photonic);
    return status;
}

optinc_status optinc_unit_budget(const optinc_unit *unit, const optinc_photonic_options *options,
                                 const optinc_log *log, optinc_layer_budget *layers)
{
    return unit && layers ? unit_budget(unit, options, log, layers, NULL)
                          : OPTINC_ERR_INVALID_ARGUMENT;
}

optinc_status optinc_unit_receivers(const optinc_unit *unit, const optinc_photonic_options *options,
                                    const optinc_log *log, optinc_receiver_budget *receivers)
{
    return unit && receivers ? unit_budget(unit, options, log, NULL, receivers)
                             : OPTINC_ERR_INVALID_ARGUMENT;
}

/* Where the design breaks first, or comes closest to it. */
typedef struct limit {
    oi_headroom headroom;
    double crossing_db; /* most that crossings take there */
} limit;

static void write_verdict(optinc_budget *budget, const optinc_device *device, const limit *at)
{
    oi_headroom worst = at->headroom;
    size_t length;
    char where[48];
    size_t size = sizeof budget->verdict;

    budget->headroom_db = worst.db;
    budget->feasible = worst.db >= 0;
    snprintf(where, sizeof where, "level %u, layer %u", budget->limit_level, budget->limit_layer);
    if (budget->feasible)
        snprintf(budget->verdict, size, "feasible; least headroom %.1f dB (%s) at %s", worst.db,
                 worst.kind == OI_HEADROOM_LIGHT  ? "light at a receiver"
                 : worst.kind == OI_HEADROOM_GAIN ? "gain of a receiver"
                                                  : "signal over noise",
                 where);
    else if (worst.kind == OI_HEADROOM_LIGHT &&
             budget->laser_mw_needed <= device->laser_power_mw_max)
        snprintf(budget->verdict, size,
                 "not feasible: light is %.1f dB too weak at %s; %.3g mW into every modulator "
                 "would mend it",
                 -worst.db, where, budget->laser_mw_needed);
    else if (worst.kind == OI_HEADROOM_LIGHT)
        snprintf(budget->verdict, size,
                 "not feasible: light is %.1f dB too weak at %s, more than any laser makes up for; "
                 "it needs shallower circuits (segmented or direct) or MZIs of less loss",
                 -worst.db, where);
    else if (worst.kind == OI_HEADROOM_GAIN)
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
    length = strlen(budget->verdict);
    if (!budget->feasible && at->crossing_db > 0)
        snprintf(budget->verdict + length, size - length, "; crossings take up to %.3g dB there",
                 at->crossing_db);
}

/* Adds the units of one level, which work side by side. */
static void add_level(optinc_budget *budget, const optinc_unit *unit, const optinc_device *device,
                      const optinc_layer_budget *layers, double units)
{
    for (uint32_t l = 0; l < unit->layer_count; l++) {
        const optinc_layer_budget *layer = &layers[l];

        budget->mzis += (uint64_t)units * layer->mzis;
        budget->crossings += (uint64_t)units * layer->crossings;
        budget->area_mm2 += units * layer->area_mm2;
        budget->power_w += units * layer->power_w;
        budget->latency_ps += layer->latency_ps;
        budget->depth += layer->depth;
        budget->laser_w +=
            units * 1e-3 * (layer->laser_mw + layer->oscillator_mw) / device->laser_efficiency;
        budget->loss_db_max = fmax(budget->loss_db_max, layer->loss_db_max);
        if (layer->path_crossings_max > budget->path_crossings_max)
            budget->path_crossings_max = layer->path_crossings_max;
        budget->crossing_loss_db_max =
            fmax(budget->crossing_loss_db_max, layer->crossing_loss_db_max);
        budget->received_dbm_min = fmin(budget->received_dbm_min, layer->received_dbm_min);
        budget->gain_db_max = fmax(budget->gain_db_max, layer->gain_db_max);
        budget->snr_db_min = fmin(budget->snr_db_min, layer->snr_db_min);
    }
}

static optinc_status budget_levels(const optinc_design *design,
                                   const optinc_photonic_options *options, const optinc_log *log,
                                   optinc_layer_budget *layers, optinc_budget *budget, limit *worst)
{
    double units = 1;

    for (uint32_t level = optinc_design_level_count(design); level-- > 0;) {
        const optinc_unit *unit = optinc_design_unit(design, level);
        double needed = oi_snr_db_needed(unit);
        optinc_status status = optinc_unit_budget(unit, options, log, layers);

        if (status)
            return status;
        add_level(budget, unit, &options->device, layers, units);
        budget->snr_db_needed = fmax(budget->snr_db_needed, needed);
        for (uint32_t l = 0; l < unit->layer_count; l++) {
            oi_headroom found =
                oi_find_headroom(&options->device, layers[l].received_dbm_min,
                                 layers[l].gain_db_max, layers[l].snr_db_min, needed);

            if (found.db < worst->headroom.db) {
                *worst = (limit){found, layers[l].crossing_loss_db_max};
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
    limit worst = {.headroom = {INFINITY, OI_HEADROOM_LIGHT}};
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
    write_verdict(budget, &options->device, &worst);
    return OPTINC_OK;
}
