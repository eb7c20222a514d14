/* SPDX-License-Identifier: Apache-2.0 */
/* Codes per second through the backend photonic, all faults and noise on, beside the backend onn.
 * bench_photonic [SERVERS [BITS [THREADS]]] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "optinc/onn.h"
#include "optinc/optics.h"

#define ROUNDS 5
#define ELEMENTS ((size_t)1 << 20)

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median_rate(const double *seconds)
{
    double sorted[ROUNDS];

    for (int i = 0; i < ROUNDS; i++)
        sorted[i] = seconds[i];
    qsort(sorted, ROUNDS, sizeof *sorted, compare);
    return (double)ELEMENTS / sorted[ROUNDS / 2];
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
    unsigned long ports = argc > 1 ? strtoul(argv[1], NULL, 10) : 4;
    unsigned long bits = argc > 2 ? strtoul(argv[2], NULL, 10) : 8;
    unsigned long threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 2;
    optinc_photonic_options faults = all_faults(), ideal = optinc_photonic_defaults();
    const void *options[3] = {&faults, &ideal, NULL};
    const char *const names[3] = {"photonic, all faults", "photonic, ideal", "onn"};
    double seconds[3][ROUNDS];
    size_t stride = ELEMENTS * bits / 8;
    uint8_t *symbols, *result;
    optinc_design *design = NULL;
    optinc_switch *sw[3] = {NULL};
    optinc_stream stream = {.seed = 1};
    optinc_spec spec;

    if (optinc_spec_single((uint32_t)ports, (uint32_t)bits, OPTINC_VARIANT_HALF_UP, NULL, &spec) ||
        optinc_construct(&spec, NULL, NULL, &design))
        return 2;
    symbols = malloc(ports * stride);
    result = malloc(stride);
    if (!symbols || !result)
        return 2;
    for (size_t i = 0; i < ports * stride; i++)
        symbols[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int k = 0; k < 3; k++) {
        optinc_switch_options own = {.thread_count = (uint32_t)threads,
                                     .backend_options = options[k]};

        if (optinc_switch_create(design, k < 2 ? optinc_backend_photonic() : optinc_backend_onn(),
                                 &own, NULL, &sw[k]))
            return 2;
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < 3; k++) {
            double begin = now_s();

            stream.step++;
            if (optinc_switch_reduce(sw[k], symbols, stride, (uint32_t)ports, ELEMENTS, &stream,
                                     result))
                return 2;
            seconds[k][round] = now_s() - begin;
        }
    for (int k = 0; k < 3; k++) {
        printf("N=%lu B=%lu, %lu threads, %s: %.3g codes/s\n", ports, bits, threads, names[k],
               median_rate(seconds[k]));
        optinc_switch_destroy(&sw[k]);
    }
    optinc_design_destroy(&design);
    free(symbols);
    free(result);
    return 0;
}
