/* SPDX-License-Identifier: Apache-2.0 */
#include "energy.h"

#include <inttypes.h>
#include <math.h>

#include "cli.h"
#include "describe.h"
#include "optinc/synthesis.h"

#define WATTS_MAX 1e12

int energy_options(scale_energy *energy, cli_option *options)
{
    int count;

    *energy = (scale_energy){.switch_w = NAN, .transceiver_pj = NAN};
    count = cli_photonic_build_options(&energy->hardware, options);
    for (int i = 1; i < count; i++)
        options[i] = cli_needs(options[i], "--design");
    options[count++] =
        cli_text("--design", &energy->design_path, "DESIGN",
                 "the optical switches: their power is the budget's, of as many planes side by "
                 "side as the ports' rate needs; default none");
    options[count++] =
        cli_number("--optical-watts", &energy->switch_w, "W", 0, WATTS_MAX,
                   "or the power of one optical switch, all of its planes; a tree has as many "
                   "switches as it needs; default none");
    options[count++] = cli_number_from(
        "--transceiver-pj", &energy->transceiver_pj, "PJ", 0, 1e6,
        "energy of a server's transceiver a bit sent, receiving included; default the device "
        "file's, or 21.25 (NVIDIA 800G DR8)");
    cli_group(options, count, "Energy: one of these adds its columns");
    return count;
}

/* Levels of the tree as the time model counts them. */
static uint32_t levels_of(uint64_t servers, uint32_t ports)
{
    uint32_t levels = 0;

    for (; servers > 1; levels++)
        servers = servers / ports + (servers % ports != 0);
    return levels;
}

static bool fits(const optinc_design *design, const scale_energy *energy,
                 const optinc_cluster *cluster)
{
    uint32_t levels = optinc_design_level_count(design);

    if (optinc_design_bits(design) != cluster->bits)
        cli_error("%s: codes of %u bits, expected %u as --bits says", energy->design_path,
                  optinc_design_bits(design), cluster->bits);
    else if (levels_of(optinc_design_ports(design), cluster->optical_ports) != levels)
        cli_error("%s: found %u level%s for %u servers, expected as many as switches of "
                  "--optical-ports %u take",
                  energy->design_path, levels, levels == 1 ? "" : "s", optinc_design_ports(design),
                  cluster->optical_ports);
    else
        return true;
    return false;
}

/* A plane takes a symbol of every digit at once, so a port of it has symbol rate times B. */
static bool use_design(scale_energy *energy, const optinc_photonic_options *options,
                       const optinc_cluster *cluster)
{
    double rate = cluster->optical_gbps > 0 ? fmin(cluster->optical_gbps, cluster->link_gbps)
                                            : cluster->link_gbps;
    optinc_design *design = cli_load_design(energy->design_path);
    optinc_budget budget;
    optinc_status status;
    bool good;

    if (!design)
        return false;
    good = fits(design, energy, cluster);
    if (good) {
        status = optinc_design_budget(design, options, &cli_log, &budget);
        good = status == OPTINC_OK;
        if (!good)
            cli_library_error(status, energy->design_path);
    }
    if (good) {
        energy->ports = optinc_design_ports(design);
        energy->plane_w = budget.power_w;
        energy->feasible = budget.feasible;
        energy->planes = (uint64_t)ceil(rate / (options->device.symbol_rate_gbaud * cluster->bits));
    }
    optinc_design_destroy(&design);
    return good;
}

bool energy_resolve(scale_energy *energy, optinc_cluster *cluster)
{
    optinc_photonic_options options;
    bool device = energy->hardware.device_path != NULL;

    energy->wanted =
        energy->design_path || device || !isnan(energy->switch_w) || !isnan(energy->transceiver_pj);
    if (energy->design_path && !isnan(energy->switch_w)) {
        cli_error("found both --design and --optical-watts, expected one of them");
        return false;
    }
    if (!cli_photonic_resolve(&energy->hardware, &options))
        return false;
    if (device)
        cluster->transceiver_pj_bit = options.device.transceiver_energy_pj_per_bit;
    if (!isnan(energy->transceiver_pj))
        cluster->transceiver_pj_bit = energy->transceiver_pj;
    return !energy->design_path || use_design(energy, &options, cluster);
}

double energy_optical_w(const scale_energy *energy, const optinc_cluster *cluster)
{
    if (energy->design_path)
        return cluster->servers <= energy->ports ? (double)energy->planes * energy->plane_w
                                                 : (double)NAN;
    return energy->switch_w *
           (double)optinc_cluster_switches(cluster->servers, cluster->optical_ports);
}

/* NaN where the optical switches' power is unknown. */
static double total_j(const optinc_cluster_time *time, double optical_w)
{
    return isnan(optical_w) ? (double)NAN : time->energy_j + time->optical_energy_j;
}

void energy_json(json_t *row, const optinc_cluster_time *time, const optinc_cluster_time *ring,
                 double optical_w)
{
    cli_json_set(row, "optical_energy_j",
                 cli_json_number(isnan(optical_w) ? optical_w : time->optical_energy_j));
    cli_json_set(row, "energy_total_j", cli_json_number(total_j(time, optical_w)));
    cli_json_set(row, "energy_of_ring", cli_json_number(total_j(time, optical_w) / ring->energy_j));
}

json_t *energy_json_settings(const scale_energy *energy, const optinc_cluster *cluster)
{
    json_t *object = json_object();
    bool design = energy->design_path != NULL;

    cli_json_set(object, "transceiver_pj_bit", cli_json_number(cluster->transceiver_pj_bit));
    cli_json_set(object, "optical_switch_w", cli_json_number(energy->switch_w));
    cli_json_set(object, "design", design ? json_string(energy->design_path) : json_null());
    if (design) {
        cli_json_set(object, "design_servers", json_integer(energy->ports));
        cli_json_set(object, "plane_w", cli_json_number(energy->plane_w));
        cli_json_set(object, "planes", cli_json_count(energy->planes));
        cli_json_set(object, "feasible", json_boolean(energy->feasible));
    }
    return object;
}

void energy_print_head(void)
{
    fputs("      energy J    of ring", stdout);
}

void energy_print(const optinc_cluster_time *time, const optinc_cluster_time *ring,
                  double optical_w)
{
    double all = time->energy_j + time->optical_energy_j;

    printf("  %12.5g%c  %8.4f", all, isnan(optical_w) ? '*' : ' ',
           ring->energy_j > 0 ? all / ring->energy_j : 1.0);
}

void energy_print_foot(const scale_energy *energy, const optinc_cluster *cluster,
                       uint64_t servers_max)
{
    char count[CLI_COUNT_TEXT_SIZE];

    printf(
        "energy    servers' transceivers, %g pJ a bit sent; electrical switches and hosts are not "
        "in it\n",
        cluster->transceiver_pj_bit);
    if (energy->design_path) {
        printf("          optical switches of %s: %.4g W a plane, %s plane%s\n",
               energy->design_path, energy->plane_w, cli_count_text(energy->planes, count),
               energy->planes == 1 ? "" : "s");
        if (!energy->feasible)
            puts("          that design is not feasible with these components (optinc inspect)");
        if (servers_max > energy->ports)
            printf("          * without the optical switches: the design serves %u servers\n",
                   energy->ports);
    } else if (isnan(energy->switch_w)) {
        puts("          * without the optical switches, whose power --design or --optical-watts "
             "tells");
    } else {
        printf("          optical switches, %.4g W each\n", energy->switch_w);
    }
}
