/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds per training epoch of N=4, B=8, 4-64-128-256-128-64-4, beside the GEMM speed of the same
 * threads. Prints one JSON object; bench_train.py sets it against PyTorch.
 *
 * bench_train THREADS EPOCHS all|none squared|hinge
 *   squared: every case goes forward and back; hinge: as a run goes on after its first epochs. */
#include <cblas.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "optinc/train.h"

#define EPOCHS_MAX 1000u
#define GEMM_SIDE 1024
#define GEMM_ROUNDS 5

static const uint32_t sides[] = {4, 64, 128, 256, 128, 64, 4};
#define LAYERS 6u

typedef struct times {
    double end[EPOCHS_MAX];
    double cpu_end[EPOCHS_MAX]; /* of the process: what counts where others share the cores */
    uint32_t count;
} times;

static bool note(void *user, const optinc_train_report *report)
{
    times *t = user;

    t->cpu_end[t->count] = (double)clock() / CLOCKS_PER_SEC;
    t->end[t->count++] = report->seconds;
    return true;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Median of the epochs after the first; an epoch's report is made just after its end. */
static double median_epoch(const double *end, uint32_t end_count)
{
    static double spans[EPOCHS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 1; i < end_count; i++)
        spans[count++] = end[i] - end[i - 1];
    qsort(spans, count, sizeof *spans, ascending);
    return spans[count / 2];
}

/* Best of some rounds in which every thread multiplies matrices of its own, in GFLOP/s. */
static double gemm_speed(int threads)
{
    size_t area = (size_t)GEMM_SIDE * GEMM_SIDE;
    float *memory = malloc((size_t)threads * 3 * area * sizeof *memory);
    double best = 0.0, flops = 2.0 * GEMM_SIDE * (double)area * threads;

    if (!memory)
        return 0.0;
    for (size_t i = 0; i < (size_t)threads * 3 * area; i++)
        memory[i] = (float)(i % 7) - 3.0f;
    openblas_set_num_threads(1);
    for (int round = 0; round < GEMM_ROUNDS; round++) {
        double start = omp_get_wtime(), speed;

#pragma omp parallel num_threads(threads)
        {
            float *a = memory + (size_t)omp_get_thread_num() * 3 * area;

            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, GEMM_SIDE, GEMM_SIDE, GEMM_SIDE,
                        1.0f, a, GEMM_SIDE, a + area, GEMM_SIDE, 0.0f, a + 2 * area, GEMM_SIDE);
        }
        speed = flops / (omp_get_wtime() - start) * 1e-9;
        best = speed > best ? speed : best;
    }
    free(memory);
    return best;
}

/* Of forward and back for every case; the products of the blocks' steps are not counted. */
static double epoch_flops(void)
{
    double weights = 0.0;

    for (uint32_t i = 0; i < LAYERS; i++)
        weights += (double)sides[i] * sides[i + 1] * (i == 0 ? 4.0 : 6.0);
    return weights * 28561.0;
}

int main(int argc, char **argv)
{
    optinc_train_options options = optinc_train_options_default();
    bool segmented[LAYERS];
    times t = {.count = 0};
    optinc_train_watch watch = {note, &t};
    optinc_design *design = NULL;
    optinc_spec spec;
    double seconds, peak;

    if (argc != 5 || atoi(argv[1]) < 1 || atoi(argv[2]) < 3 || atoi(argv[2]) > (int)EPOCHS_MAX ||
        optinc_segments_parse(argv[3], LAYERS, NULL, segmented)) {
        fprintf(stderr, "usage: bench_train THREADS EPOCHS all|none squared|hinge\n");
        return 2;
    }
    options.layer_count = LAYERS;
    options.sides = sides;
    options.segmented = segmented;
    options.thread_count = (uint32_t)atoi(argv[1]);
    options.epochs = (uint32_t)atoi(argv[2]);
    options.cycles_max = 1;
    options.margin_stop = 1.0;
    if (strcmp(argv[4], "squared") == 0)
        options.squared_epochs = options.epochs;
    if (strcmp(argv[3], "none") == 0)
        options.learning_rate = 1e-3;
    if (optinc_spec_single(4, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec) ||
        optinc_train(&spec, &options, &watch, NULL, NULL, &design))
        return 1;
    optinc_design_destroy(&design);
    seconds = median_epoch(t.end, t.count);
    peak = gemm_speed(atoi(argv[1]));
    printf("{\"epoch_s\": %.6f, \"epoch_cpu_s\": %.6f, \"gemm_peak_gflops\": %.1f, \"gflops\": "
           "%.1f, \"share\": %.3f}\n",
           seconds, median_epoch(t.cpu_end, t.count), peak, epoch_flops() / seconds * 1e-9,
           epoch_flops() / seconds * 1e-9 / peak);
    return 0;
}
