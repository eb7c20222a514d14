/* SPDX-License-Identifier: Apache-2.0 */
/* Codes per second through the backend photonic, all faults and noise on and off, beside the backend
 * onn, N = 4, B = 8, two threads; and codes per second of one core's own time, which other load on
 * the machine does not change. bench_photonic [--csv PATH] [--rounds N] */
#include "bench.h"

#include "optinc/onn.h"
#include "optinc/optics.h"

#define ELEMENTS ((size_t)1 << 20)
#define PORTS 4u

typedef struct side {
    optinc_switch *sw;
    const uint8_t *symbols;
    uint8_t *result;
    uint64_t step;
    double core_s; /* of all runs */
    uint64_t runs;
} side;

static double core_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run(void *context)
{
    side *s = context;
    optinc_stream stream = {.seed = 1, .step = ++s->step};
    double begin = core_seconds();

    if (optinc_switch_reduce(s->sw, s->symbols, ELEMENTS, PORTS, ELEMENTS, &stream, s->result))
        exit(2);
    s->core_s += core_seconds() - begin;
    s->runs++;
}

static optinc_photonic_options all_faults(void)
{
    optinc_photonic_options options = optinc_photonic_defaults();

    options.device.phase_sigma_rad = 0.01;
    options.device.splitter_sigma_rad = 0.01;
    options.device.mzi_loss_db = 0.3;
    options.device.dac_bits = 8;
    options.device.crosstalk = 0.01;
    options.device.modulator_extinction_db = 25;
    options.device.receiver_noise_pa_per_sqrt_hz = 17;
    options.device.receiver_shot_noise = 1;
    options.device.laser_rin_db_per_hz = -150;
    return options;
}

int main(int argc, char **argv)
{
    bench_options bench = bench_parse(argc, argv, 5);
    optinc_photonic_options faults = all_faults(), ideal = optinc_photonic_defaults();
    const void *options[3] = {&faults, &ideal, NULL};
    const char *const names[2] = {"photonic, all faults", "photonic, ideal"};
    side sides[3];
    uint8_t *symbols = malloc(PORTS * ELEMENTS), *result = malloc(ELEMENTS);
    optinc_design *design = NULL;
    optinc_spec spec;

    if (!symbols || !result || optinc_spec_single(PORTS, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec) ||
        optinc_construct(&spec, NULL, NULL, &design))
        return 2;
    for (size_t i = 0; i < PORTS * ELEMENTS; i++)
        symbols[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int k = 0; k < 3; k++) {
        optinc_switch_options own = {.thread_count = 2, .backend_options = options[k]};

        sides[k] = (side){.symbols = symbols, .result = result};
        if (optinc_switch_create(design, k < 2 ? optinc_backend_photonic() : optinc_backend_onn(),
                                 &own, NULL, &sides[k].sw))
            return 2;
    }
    for (int k = 0; k < 2; k++) {
        bench_medians medians = bench_in_turn((bench_side){names[k], run, &sides[k]},
                                              (bench_side){"onn", run, &sides[2]}, bench.rounds);

        bench_report_rate(&bench, "photonic", names[k], "onn", medians, (double)ELEMENTS / 1e6,
                          "Mcodes/s");
        printf("%s: %.3g Mcodes per second of one core\n", names[k],
               (double)ELEMENTS * (double)sides[k].runs / sides[k].core_s / 1e6);
    }
    for (int k = 0; k < 3; k++)
        optinc_switch_destroy(&sides[k].sw);
    optinc_design_destroy(&design);
    free(symbols);
    free(result);
    return 0;
}
