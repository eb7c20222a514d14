/* SPDX-License-Identifier: Apache-2.0 */
/* What would make a design feasible, one thing at a time, and what an element's way costs beside a
 * ring's (docs/optics.md). */
#include <math.h>

#include "base/memory.h"
#include "synthesis/budget.h"

#define LOSS_STEPS 8 /* of the bisection over a loss: 1/256 of the device's */
#define STEPS 60

/* The light and gain of every layer of every level: what its headroom follows from when lasers,
 * oscillators or the rate change. */
typedef struct stage {
    double light_min;
    double gain_db_max;
    double snr_db_needed;
    uint32_t depth;
} stage;

typedef struct stages {
    size_t count;
    stage *list;
} stages;

static double headroom_db(const stages *of, const optinc_device *device)
{
    double least = INFINITY;

    for (size_t i = 0; i < of->count; i++) {
        const stage *s = &of->list[i];
        oi_headroom found =
            oi_find_headroom(device, oi_received_dbm(device, s->light_min), s->gain_db_max,
                             oi_snr_db(device, s->light_min), s->snr_db_needed);

        least = fmin(least, found.db);
    }
    return least;
}

static optinc_status find_stages(const optinc_design *design,
                                 const optinc_photonic_options *options, const optinc_log *log,
                                 stages *of)
{
    optinc_layer_budget *layers = oi_allocate(OPTINC_LAYERS_MAX, sizeof *layers);
    optinc_status status = layers ? OPTINC_OK : OPTINC_ERR_OUT_OF_MEMORY;

    of->count = 0;
    for (uint32_t level = 0; level < optinc_design_level_count(design) && !status; level++) {
        const optinc_unit *unit = optinc_design_unit(design, level);

        status = optinc_unit_budget(unit, options, log, layers);
        for (uint32_t l = 0; l < unit->layer_count && !status; l++)
            of->list[of->count++] = (stage){layers[l].light_min, layers[l].gain_db_max,
                                            oi_snr_db_needed(unit), layers[l].depth};
    }
    oi_free(layers);
    return status;
}

/* The value of the device at `offset` that is nearest to its own and leaves headroom, which grows
 * from there to `to`; NaN if even that leaves none. By bisection of the logarithm. */
static double reach(const stages *of, optinc_device device, size_t offset, double to)
{
    double *value = (double *)((char *)&device + offset), from = *value;
    double low = 0, high = 1;

    *value = to;
    if (!(headroom_db(of, &device) >= 0))
        return NAN;
    for (int i = 0; i < STEPS; i++) {
        double middle = 0.5 * (low + high);

        *value = from * pow(to / from, middle);
        if (headroom_db(of, &device) >= 0)
            high = middle;
        else
            low = middle;
    }
    return from * pow(to / from, high);
}

static optinc_status headroom_of(const optinc_design *design,
                                 const optinc_photonic_options *options, const optinc_log *log,
                                 stages *of, double *found)
{
    optinc_status status = find_stages(design, options, log, of);

    if (!status)
        *found = headroom_db(of, &options->device);
    return status;
}

/* MZIs of the layer that has the least headroom. */
static uint32_t worst_depth(const stages *of, const optinc_device *device)
{
    double least = INFINITY;
    uint32_t depth = 0;

    for (size_t i = 0; i < of->count; i++) {
        const stages one = {1, &of->list[i]};
        double found = headroom_db(&one, device);

        if (found < least) {
            least = found;
            depth = of->list[i].depth;
        }
    }
    return depth;
}

/* The largest value of the device's loss at `offset`, below its own, that leaves headroom, by
 * bisection; NaN if none does. */
static optinc_status find_loss(const optinc_design *design, optinc_photonic_options options,
                               const optinc_log *log, size_t offset, stages *of, double *loss_db)
{
    double *value = (double *)((char *)&options.device + offset), low = 0, high = *value;
    double found = -INFINITY;
    optinc_status status;

    *loss_db = NAN;
    if (!(high > 0))
        return OPTINC_OK;
    *value = 0;
    status = headroom_of(design, &options, log, of, &found);
    if (status || !(found >= 0))
        return status;
    for (int i = 0; i < LOSS_STEPS && !status; i++) {
        *value = 0.5 * (low + high);
        status = headroom_of(design, &options, log, of, &found);
        if (found >= 0)
            low = *value;
        else
            high = *value;
    }
    *loss_db = low;
    return status;
}

/* As many MZIs in a row as lose as much as a whole layer does where it is feasible may follow one
 * another without regeneration. */
static optinc_status find_losses(const optinc_design *design,
                                 const optinc_photonic_options *options, const optinc_log *log,
                                 stages *of, optinc_remedies *remedies)
{
    const optinc_device *device = &options->device;
    uint32_t depth = worst_depth(of, device);
    optinc_status status =
        find_loss(design, *options, log, offsetof(optinc_device, crossing_loss_db), of,
                  &remedies->crossing_loss_db);

    if (!status)
        status = find_loss(design, *options, log, offsetof(optinc_device, mzi_loss_db), of,
                           &remedies->mzi_loss_db);
    if (!status && !isnan(remedies->mzi_loss_db))
        remedies->mzis_between = (uint32_t)(depth * remedies->mzi_loss_db / device->mzi_loss_db);
    return status;
}

optinc_status optinc_design_remedies(const optinc_design *design,
                                     const optinc_photonic_options *options, const optinc_log *log,
                                     optinc_remedies *remedies)
{
    optinc_photonic_options own = options ? *options : optinc_photonic_defaults();
    const optinc_device *device = &own.device;
    stages of = {0};
    double found = 0;
    optinc_status status;

    if (!design || !remedies)
        return OPTINC_ERR_INVALID_ARGUMENT;
    *remedies = (optinc_remedies){NAN, NAN, NAN, NAN, NAN, 0, NAN};
    of.list =
        oi_allocate((size_t)optinc_design_level_count(design) * OPTINC_LAYERS_MAX, sizeof *of.list);
    if (!of.list)
        return OPTINC_ERR_OUT_OF_MEMORY;
    status = headroom_of(design, &own, log, &of, &found);
    if (!status && found < 0) {
        if (device->laser_power_mw_max > device->laser_power_mw)
            remedies->laser_mw = reach(&of, own.device, offsetof(optinc_device, laser_power_mw),
                                       device->laser_power_mw_max);
        if (device->laser_power_mw_max > device->local_oscillator_power_mw)
            remedies->oscillator_mw =
                reach(&of, own.device, offsetof(optinc_device, local_oscillator_power_mw),
                      device->laser_power_mw_max);
        remedies->symbol_rate_gbaud =
            reach(&of, own.device, offsetof(optinc_device, symbol_rate_gbaud),
                  1e-3 * device->symbol_rate_gbaud);
        status = find_losses(design, &own, log, &of, remedies);
    }
    if (!status && found < 0 && !own.direct) {
        own.direct = true;
        status = headroom_of(design, &own, log, &of, &found);
        if (!status && found >= 0)
            remedies->direct_headroom_db = found;
    }
    oi_free(of.list);
    return status;
}

optinc_energy optinc_design_energy(const optinc_design *design, const optinc_device *device,
                                   const optinc_budget *budget)
{
    double ports = optinc_design_ports(design), bits = optinc_design_bits(design);
    double ring = 2 * (ports - 1) / ports; /* of its data that a server sends */
    double bit_pj = device->transceiver_energy_pj_per_bit;

    return (optinc_energy){.optinc = oi_transceivers_pj(ports, bits, bit_pj) + budget->energy_pj,
                           .ring_same = oi_transceivers_pj(ports, ring * bits, bit_pj),
                           .ring_float = oi_transceivers_pj(ports, ring * 32, bit_pj)};
}
