/* SPDX-License-Identifier: Apache-2.0 */
/* bench_mpi [--mib MEBIBYTES] [--chunk ELEMENTS] [--rounds N] [--csv PATH]: our all-reduce of float32
 * among the ranks of this job (B = 8, the exact backend), beside the MPI's own MPI_Allreduce and the
 * float ring over the same transport. The three take turns; a turn's time is the slowest rank's;
 * medians. The result is checked against the reported bound. */
#include "bench.h"

#include "optinc/mpi.h"
#include "optinc/onn.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void print_parts(const optinc_mpi_context *context, const double *medians, size_t bytes)
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

static void compete(optinc_mpi_context *context, const buffers *b, const bench_options *options,
                    double *medians)
{
    static double times[CONTENDERS][BENCH_ROUNDS_MAX];

    for (int round = -1; round < options->rounds; round++) /* the first warms up */
        for (int i = CONTENDERS - 1; i >= 0; i--)
            times[i][round < 0 ? 0 : round] = run(i, context, b);
    run(0, context, b); /* the output that is checked */
    for (int i = 0; i < CONTENDERS; i++)
        medians[i] = bench_median(times[i], options->rounds);
}

static void allocate(buffers *b, size_t bytes, int rank)
{
    b->count = bytes / sizeof(float);
    b->input = malloc(bytes);
    b->output = malloc(bytes);
    b->reference = malloc(bytes);
    if (!b->input || !b->output || !b->reference || b->count < 1 || b->count > INT_MAX)
        stop("no memory for this many MiB", (int)(bytes >> 20));
    for (size_t i = 0; i < b->count; i++)
        b->input[i] = (float)((i * 2654435761u + (size_t)rank * 40503u) % 65536) / 32768.0f - 1.0f;
    memset(b->output, 0, bytes);
    memset(b->reference, 0, bytes);
}

static void record(const bench_options *options, const double *medians, int ranks, size_t bytes)
{
    char what[96];

    snprintf(what, sizeof what, "all-reduce of %.4g MiB on %d local ranks", (double)bytes / 1048576,
             ranks);
    for (int i = 1; i < CONTENDERS; i++)
        bench_report(options, "mpi", what, medians[0], names[i], medians[i], "s");
}

int main(int argc, char **argv)
{
    bench_options options = bench_parse(argc, argv, 15);
    optinc_mpi_options settings = {0};
    optinc_mpi_context *context;
    double medians[CONTENDERS], error, mebibytes = 64;
    optinc_design *design;
    optinc_status status;
    int rank, ranks;
    buffers b;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--mib") == 0)
            mebibytes = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--chunk") == 0)
            settings.collective.chunk_elements = (size_t)atol(argv[i + 1]);
    }
    design = make_design((uint32_t)ranks);
    status = optinc_mpi_context_create(design, MPI_COMM_WORLD, &settings, NULL, &context);
    if (status != OPTINC_OK)
        stop(optinc_status_text(status), status);
    allocate(&b, (size_t)(mebibytes * 1048576), rank);
    compete(context, &b, &options, medians);
    error = check(context, &b);
    if (rank == 0) {
        print_parts(context, medians, b.count * sizeof(float));
        printf("largest error %.3g, bound %.3g\n", error,
               optinc_mpi_report(context)->error_bound_max);
        record(&options, medians, ranks, b.count * sizeof(float));
    }
    optinc_mpi_context_destroy(&context);
    optinc_design_destroy(&design);
    free(b.input);
    free(b.output);
    free(b.reference);
    MPI_Finalize();
    return 0;
}
