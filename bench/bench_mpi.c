/* SPDX-License-Identifier: Apache-2.0 */
/* bench_mpi [MEBIBYTES [ROUNDS]]: our all-reduce of float32 among the ranks of this job (B = 8, the
 * exact backend), beside the MPI's own MPI_Allreduce and the float ring over the same transport. The
 * three take turns; each turn's time is the slowest rank's; medians. Rank 0 prints a table and the
 * rows for results.csv. Every result is checked against the reported bound. */
#include "optinc/mpi.h"
#include "optinc/onn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define ROUNDS_MAX 101
#define CONTENDERS 3

static const char *const names[CONTENDERS] = {"optinc", "MPI_Allreduce", "float ring"};

typedef struct buffers {
    float *input;
    float *output;
    float *reference; /* what MPI_Allreduce gave */
    size_t count;
} buffers;

static void stop(const char *what, int code)
{
    fprintf(stderr, "bench_mpi: %s (%d)\n", what, code);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static optinc_design *make_design(uint32_t ranks)
{
    uint32_t ports = 2;
    optinc_design *design = NULL;
    optinc_verify_result proof;
    optinc_spec spec;

    while (ports < ranks)
        ports *= 2;
    if (optinc_spec_single(ports, 8, OPTINC_VARIANT_HALF_UP, NULL, &spec) != OPTINC_OK ||
        optinc_construct(&spec, NULL, NULL, &design) != OPTINC_OK ||
        optinc_verify(design, 0, NULL, NULL, NULL, &proof) != OPTINC_OK ||
        optinc_design_set_proof(design, 0, &proof.best) != OPTINC_OK)
        stop("no design for this many ranks", (int)ranks);
    return design;
}

static double run(int contender, optinc_mpi_context *context, const buffers *b)
{
    optinc_status status = OPTINC_OK;
    double start, own, slowest;

    MPI_Barrier(MPI_COMM_WORLD);
    start = MPI_Wtime();
    if (contender == 0)
        status = optinc_mpi_allreduce(context, b->input, b->output, b->count, OPTINC_SUM);
    else if (contender == 1)
        MPI_Allreduce(b->input, b->reference, (int)b->count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    else
        status = optinc_mpi_ring_allreduce(context, b->input, b->output, b->count, OPTINC_SUM);
    own = MPI_Wtime() - start;
    if (status != OPTINC_OK)
        stop(optinc_status_text(status), status);
    MPI_Allreduce(&own, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

static double check(const optinc_mpi_context *context, const buffers *b)
{
    double error = 0.0, bound = optinc_mpi_report(context)->error_bound_max;

    for (size_t i = 0; i < b->count; i++)
        error = fmax(error, fabs((double)b->output[i] - (double)b->reference[i]));
    /* the float sum beside it is off by roundings of its own */
    if (!(error <= bound * 1.001 + 1e-4))
        stop("an error above the bound", 0);
    return error;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

static void print_rows(const double *medians, int ranks, size_t bytes)
{
    char date[32], machine[256];
    struct utsname host;
    time_t now = time(NULL);

    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    uname(&host);
    snprintf(machine, sizeof machine, "%s %s", host.sysname, host.machine);
    for (int other = 1; other < CONTENDERS; other++)
        printf("%s,mpi,%s,all-reduce of %zu MiB float32 on %d local ranks (B=8),%.6f,%s,%.6f,%.3f,"
               "seconds\n",
               date, machine, bytes >> 20, ranks, medians[0], names[other], medians[other],
               medians[other] / medians[0]);
}

static void report(optinc_mpi_context *context, const double *medians, size_t bytes)
{
    const optinc_allreduce_report *r = optinc_mpi_report(context);

    for (int i = 0; i < CONTENDERS; i++)
        printf("%-14s %8.1f ms  %6.2f GB/s\n", names[i], 1e3 * medians[i],
               1e-9 * (double)bytes / medians[i]);
    printf(
        "of which on rank 0, last turn: quantise %.1f, exchange %.1f, switch %.1f, dequantise %.1f "
        "ms; %.1f MB sent\n",
        1e3 * r->seconds_quantise, 1e3 * r->seconds_exchange, 1e3 * r->seconds_switch,
        1e3 * r->seconds_dequantise, 1e-6 * (double)r->bytes_sent);
}

int main(int argc, char **argv)
{
    size_t bytes = (size_t)(argc > 1 ? atof(argv[1]) * 1048576.0 : 64.0 * 1048576.0);
    int rounds = argc > 2 ? atoi(argv[2]) : 15, rank, ranks;
    buffers b = {.count = bytes / sizeof(float)};
    double times[CONTENDERS][ROUNDS_MAX], medians[CONTENDERS], error;
    optinc_mpi_context *context;
    optinc_mpi_options options = {0};
    optinc_design *design;
    optinc_status status;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (rounds < 1 || rounds > ROUNDS_MAX || b.count < 1)
        stop("usage: bench_mpi [MEBIBYTES [ROUNDS]]", rounds);
    if (argc > 3)
        options.collective.chunk_elements = (size_t)atol(argv[3]);
    design = make_design((uint32_t)ranks);
    status = optinc_mpi_context_create(design, MPI_COMM_WORLD, &options, NULL, &context);
    if (status != OPTINC_OK)
        stop(optinc_status_text(status), status);
    b.input = malloc(bytes);
    b.output = malloc(bytes);
    b.reference = malloc(bytes);
    if (!b.input || !b.output || !b.reference)
        stop("no memory", 0);
    for (size_t i = 0; i < b.count; i++)
        b.input[i] = (float)((i * 2654435761u + (size_t)rank * 40503u) % 65536) / 32768.0f - 1.0f;
    memset(b.output, 0, bytes);
    memset(b.reference, 0, bytes);
    for (int round = -1; round < rounds; round++) { /* the first warms up */
        for (int i = CONTENDERS - 1; i >= 0; i--)
            times[i][round < 0 ? 0 : round] = run(i, context, &b);
    }
    error = check(context, &b);
    for (int i = 0; i < CONTENDERS; i++)
        medians[i] = median(times[i], rounds);
    if (rank == 0) {
        report(context, medians, bytes);
        printf("largest error %.3g, bound %.3g\n", error,
               optinc_mpi_report(context)->error_bound_max);
        print_rows(medians, ranks, bytes);
    }
    optinc_mpi_context_destroy(&context);
    optinc_design_destroy(&design);
    free(b.input);
    free(b.output);
    free(b.reference);
    MPI_Finalize();
    return 0;
}
