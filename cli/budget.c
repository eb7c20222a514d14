/* SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

/* Users rely on (docs/formats.md) power_w, latency_ps, loss_db_max and feasible. */
static void set_whole(json_t *object, const optinc_budget *budget)
{
    cli_json_set(object, "power_w", cli_json_number(budget->power_w));
    cli_json_set(object, "laser_w", cli_json_number(budget->laser_w));
    cli_json_set(object, "energy_pj", cli_json_number(budget->energy_pj));
    cli_json_set(object, "latency_ps", cli_json_number(budget->latency_ps));
    cli_json_set(object, "loss_db_max", cli_json_number(budget->loss_db_max));
    cli_json_set(object, "crossings", cli_json_count(budget->crossings));
    cli_json_set(object, "path_crossings_max", json_integer(budget->path_crossings_max));
    cli_json_set(object, "crossing_loss_db_max", cli_json_number(budget->crossing_loss_db_max));
    cli_json_set(object, "received_dbm_min", cli_json_number(budget->received_dbm_min));
    cli_json_set(object, "gain_db_max", cli_json_number(budget->gain_db_max));
    cli_json_set(object, "snr_db_min", cli_json_number(budget->snr_db_min));
    cli_json_set(object, "snr_db_needed", cli_json_number(budget->snr_db_needed));
    cli_json_set(object, "laser_mw_needed", cli_json_number(budget->laser_mw_needed));
    cli_json_set(object, "mzis_built", cli_json_count(budget->mzis));
    cli_json_set(object, "depth_built", cli_json_count(budget->depth));
    cli_json_set(object, "area_built_mm2", cli_json_number(budget->area_mm2));
    cli_json_set(object, "headroom_db", cli_json_number(budget->headroom_db));
    cli_json_set(object, "feasible", json_boolean(budget->feasible));
    cli_json_set(object, "verdict", json_string(budget->verdict));
}

static void set_layer(json_t *object, const optinc_layer_budget *layer)
{
    cli_json_set(object, "mzis_built", cli_json_count(layer->mzis));
    cli_json_set(object, "dummies", cli_json_count(layer->dummies));
    cli_json_set(object, "depth_built", json_integer(layer->depth));
    cli_json_set(object, "loss_db_max", cli_json_number(layer->loss_db_max));
    cli_json_set(object, "crossings", cli_json_count(layer->crossings));
    cli_json_set(object, "path_crossings_max", json_integer(layer->path_crossings_max));
    cli_json_set(object, "crossing_loss_db_max", cli_json_number(layer->crossing_loss_db_max));
    cli_json_set(object, "received_dbm_min", cli_json_number(layer->received_dbm_min));
    cli_json_set(object, "gain_db_max", cli_json_number(layer->gain_db_max));
    cli_json_set(object, "snr_db_min", cli_json_number(layer->snr_db_min));
    cli_json_set(object, "latency_ps", cli_json_number(layer->latency_ps));
    cli_json_set(object, "power_w", cli_json_number(layer->power_w));
    cli_json_set(object, "area_built_mm2", cli_json_number(layer->area_mm2));
    cli_json_set(object, "laser_mw", cli_json_number(layer->laser_mw));
    cli_json_set(object, "oscillator_mw", cli_json_number(layer->oscillator_mw));
    cli_json_set(object, "laser_mw_needed", cli_json_number(layer->laser_mw_needed));
}

/* Rows of zeros, and what has no bound, are null. */
static void set_receivers(json_t *object, const optinc_receiver_budget *receivers, uint32_t count)
{
    json_t *list = json_array();

    for (uint32_t r = 0; r < count; r++) {
        json_t *receiver = json_object();

        cli_json_set(receiver, "loss_db", cli_json_number(receivers[r].loss_db));
        cli_json_set(receiver, "received_dbm", cli_json_number(receivers[r].received_dbm));
        cli_json_set(receiver, "gain_db", cli_json_number(receivers[r].gain_db));
        cli_json_set(receiver, "snr_db", cli_json_number(receivers[r].snr_db));
        cli_json_set(receiver, "headroom_db", cli_json_number(receivers[r].headroom_db));
        cli_json_set(receiver, "crossings", json_integer(receivers[r].crossings));
        json_array_append_new(list, receiver);
    }
    cli_json_set(object, "receivers", list);
}

static size_t receiver_count(const optinc_unit *unit)
{
    size_t count = 0;

    for (uint32_t l = 0; l < unit->layer_count; l++)
        count += unit->layers[l].rows;
    return count;
}

static optinc_status set_layers(json_t *layers, size_t first, const optinc_unit *unit,
                                const optinc_photonic_options *options)
{
    optinc_layer_budget *budgets = calloc(unit->layer_count, sizeof *budgets);
    optinc_receiver_budget *receivers = calloc(receiver_count(unit), sizeof *receivers), *at;
    optinc_status status = OPTINC_ERR_OUT_OF_MEMORY;

    at = receivers;
    if (budgets && receivers)
        status = optinc_unit_budget(unit, options, &cli_log, budgets);
    if (!status)
        status = optinc_unit_receivers(unit, options, &cli_log, receivers);
    for (uint32_t l = 0; l < unit->layer_count && !status; l++) {
        json_t *object = json_array_get(layers, first + l);

        set_layer(object, &budgets[l]);
        set_receivers(object, at, unit->layers[l].rows);
        at += unit->layers[l].rows;
    }
    free(budgets);
    free(receivers);
    return status;
}

static void set_remedies(json_t *object, const optinc_remedies *remedies)
{
    json_t *own = json_object();

    cli_json_set(own, "laser_mw", cli_json_number(remedies->laser_mw));
    cli_json_set(own, "oscillator_mw", cli_json_number(remedies->oscillator_mw));
    cli_json_set(own, "symbol_rate_gbaud", cli_json_number(remedies->symbol_rate_gbaud));
    cli_json_set(own, "mzi_loss_db", cli_json_number(remedies->mzi_loss_db));
    cli_json_set(own, "crossing_loss_db", cli_json_number(remedies->crossing_loss_db));
    cli_json_set(own, "mzis_between", json_integer(remedies->mzis_between));
    cli_json_set(own, "direct_headroom_db", cli_json_number(remedies->direct_headroom_db));
    cli_json_set(object, "remedies", own);
}

optinc_status cli_json_budget(json_t *object, json_t *layers, const optinc_design *design,
                              const optinc_photonic_options *options)
{
    optinc_budget budget;
    optinc_energy energy;
    size_t first = 0;
    optinc_status status = optinc_design_budget(design, options, &cli_log, &budget);

    if (status)
        return status;
    set_whole(object, &budget);
    energy = optinc_design_energy(design, &options->device, &budget);
    cli_json_set(object, "element_pj", cli_json_number(energy.optinc));
    cli_json_set(object, "element_ring_same_bits_pj", cli_json_number(energy.ring_same));
    cli_json_set(object, "element_ring_float_pj", cli_json_number(energy.ring_float));
    for (uint32_t l = 0; l < optinc_design_level_count(design) && !status; l++) {
        status = set_layers(layers, first, optinc_design_unit(design, l), options);
        first += optinc_design_unit(design, l)->layer_count;
    }
    if (!status && !budget.feasible) {
        optinc_remedies remedies;

        status = optinc_design_remedies(design, options, &cli_log, &remedies);
        if (!status)
            set_remedies(object, &remedies);
    }
    return status;
}

/* No noise: no bound. */
static const char *snr_text(double snr_db, char text[16])
{
    if (isinf(snr_db) && snr_db > 0)
        return "no noise";
    snprintf(text, 16, "%.1f", snr_db);
    return text;
}

static void print_layer(uint32_t level, uint32_t index, const optinc_layer_budget *layer)
{
    char text[16];

    printf("%5u  %5u  %7" PRIu64 "  %5u  %5u  %7.1f  %8.1f  %7.1f  %8s  %7.0f  %9.3g  %7.3g\n",
           level, index, layer->mzis, layer->depth, layer->path_crossings_max, layer->loss_db_max,
           layer->received_dbm_min, layer->gain_db_max, snr_text(layer->snr_db_min, text),
           layer->latency_ps, layer->laser_mw, layer->power_w);
}

static optinc_status print_layers(const optinc_design *design,
                                  const optinc_photonic_options *options)
{
    optinc_status status = OPTINC_OK;

    puts("\nlevel  layer     mzis  depth  cross  loss dB  dBm min  gain dB    SNR dB       ps   "
         "laser mW        W");
    for (uint32_t level = 0; level < optinc_design_level_count(design) && !status; level++) {
        const optinc_unit *unit = optinc_design_unit(design, level);
        optinc_layer_budget *layers = calloc(unit->layer_count, sizeof *layers);

        status =
            layers ? optinc_unit_budget(unit, options, &cli_log, layers) : OPTINC_ERR_OUT_OF_MEMORY;
        for (uint32_t l = 0; l < unit->layer_count && !status; l++)
            print_layer(level, l + 1, &layers[l]);
        free(layers);
    }
    return status;
}

static void print_remedies(const optinc_remedies *remedies)
{
    const struct {
        double value;
        const char *text;
    } lines[] = {
        {remedies->laser_mw, "%.3g mW of light into every modulator"},
        {remedies->oscillator_mw, "%.3g mW of oscillator at every receiver"},
        {remedies->symbol_rate_gbaud, "a symbol rate of %.3g Gbaud"},
        {remedies->mzi_loss_db, "MZIs of at most %.3g dB"},
        {remedies->crossing_loss_db, "crossings of at most %.3g dB"},
        {remedies->mzis_between > 0 ? (double)remedies->mzis_between : (double)NAN,
         "regeneration after every %.0f MZIs"},
        {remedies->direct_headroom_db, "trees (--mapping direct), with %.1f dB headroom"},
    };
    const char *head = "mends     ";

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (isnan(lines[i].value))
            continue;
        fputs(head, stdout);
        printf(lines[i].text, lines[i].value); /* NOLINT(clang-diagnostic-format-nonliteral) */
        putchar('\n');
        head = "       or ";
    }
    if (*head == 'm')
        puts("mends     none of more light, a slower rate, MZIs or crossings without loss and "
             "trees alone");
}

static void print_energy(const optinc_design *design, const optinc_photonic_options *options,
                         const optinc_budget *budget)
{
    optinc_energy energy = optinc_design_energy(design, &options->device, budget);

    printf(
        "element   %.4g pJ with the servers' transceivers; a ring takes %.4g pJ for as many bits, "
        "%.4g pJ for floats\n",
        energy.optinc, energy.ring_same, energy.ring_float);
}

static void print_snr(const optinc_budget *budget)
{
    if (isfinite(budget->snr_db_min))
        printf("snr       %.4g dB at least, %.4g dB needed\n", budget->snr_db_min,
               budget->snr_db_needed);
    else
        printf("snr       unlimited, as these components have no noise; %.4g dB needed\n",
               budget->snr_db_needed);
}

optinc_status cli_print_budget(const optinc_design *design, const optinc_photonic_options *options)
{
    optinc_budget budget;
    optinc_status status = optinc_design_budget(design, options, &cli_log, &budget);

    if (!status)
        status = print_layers(design, options);
    if (status)
        return status;
    printf("\nbuilt     %" PRIu64 " MZIs, %" PRIu64 " one after another, %.6g mm2 with modulators, "
           "lasers and amplifiers\n"
           "power     %.4g W, of it %.4g W for lasers; %.4g pJ a gradient element\n"
           "latency   %.5g ps\n"
           "loss      %.4g dB on the longest way of a layer; %.4g dBm at the weakest receiver\n"
           "crossings %" PRIu64 " of waveguides, up to %u on a way (%.4g dB)\n"
           "gain      %.4g dB at most\n",
           budget.mzis, budget.depth, budget.area_mm2, budget.power_w, budget.laser_w,
           budget.energy_pj, budget.latency_ps, budget.loss_db_max, budget.received_dbm_min,
           budget.crossings, budget.path_crossings_max, budget.crossing_loss_db_max,
           budget.gain_db_max);
    print_snr(&budget);
    print_energy(design, options, &budget);
    printf("budget    %s\n", budget.verdict);
    if (!budget.feasible) {
        optinc_remedies remedies;

        status = optinc_design_remedies(design, options, &cli_log, &remedies);
        if (!status)
            print_remedies(&remedies);
    }
    return status;
}
