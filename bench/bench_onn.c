/* SPDX-License-Identifier: Apache-2.0 */
/* Constructed switches: their MZIs and the seconds of their proofs beside what was asked for; and the
 * backend onn on one thread beside OpenBLAS's products of the same layers, for the paper's network
 * (4-64-128-256-128-64-4) with random weights.
 * bench_onn [--csv PATH] [--rounds N] */
#include "bench.h"

#include <cblas.h>
#include <math.h>

#include "optinc/synthesis.h"

#define LAYERS 6u
#define PORTS 4u
#define CODES 4096u

static const uint32_t sides[LAYERS + 1] = {4, 64, 128, 256, 128, 64, 4};
#define SIDE_MAX 256u

static void must(optinc_status status)
{
    if (status != OPTINC_OK) {
        fprintf(stderr, "bench_onn: %s\n", optinc_status_text(status));
        exit(1);
    }
}

static double *must_allocate(size_t count)
{
    double *memory = calloc(count, sizeof *memory);

    if (!memory) {
        perror("bench_onn");
        exit(1);
    }
    return memory;
}

typedef struct wish {
    uint32_t ports;
    uint32_t bits;
    optinc_activation activation;
    double mzis_limit; /* 0: none was set */
    double seconds_limit;
} wish;

/* Constructs and verifies; the proofs that run are those that `optinc verify` runs. */
static void prove(const bench_options *options, const wish *w)
{
    optinc_construct_options construct = {.activation = w->activation};
    const char *name = w->activation == OPTINC_ACTIVATION_RELU ? "ReLU" : "saturating";
    double seconds[BENCH_ROUNDS_MAX];
    optinc_design_cost cost;
    char what[96];

    for (int i = 0; i < options->rounds; i++) {
        double begin = bench_seconds();
        optinc_design *design = NULL;
        optinc_verify_result result;
        optinc_spec spec;

        must(optinc_spec_single(w->ports, w->bits, OPTINC_VARIANT_HALF_UP, NULL, &spec));
        must(optinc_construct(&spec, &construct, NULL, &design));
        must(optinc_verify(design, 0, NULL, NULL, NULL, &result));
        seconds[i] = bench_seconds() - begin;
        if (!result.best.exact || !result.compositional.exact)
            must(OPTINC_ERR_NOT_EXACT);
        must(optinc_design_cost_of(design, NULL, &cost));
        optinc_design_destroy(&design);
    }
    if (w->mzis_limit > 0) {
        snprintf(what, sizeof what, "N=%u B=%u %s", w->ports, w->bits, name);
        bench_report(options, "onn", what, (double)cost.mzis, "limit", w->mzis_limit, "MZIs");
    }
    snprintf(what, sizeof what, "N=%u B=%u %s, proofs", w->ports, w->bits, name);
    bench_report(options, "onn", what, bench_median(seconds, options->rounds), "limit",
                 w->seconds_limit, "s");
}

static void cascade(const bench_options *options)
{
    const optinc_cascade tree = {.ports = {4, 4}, .level_count = 2, .bits = 8};
    optinc_design *design = NULL;
    optinc_design_cost cost;

    must(optinc_synthesise_cascade(&tree, NULL, NULL, NULL, NULL, &design));
    if (!optinc_design_exact(design))
        must(OPTINC_ERR_NOT_EXACT);
    must(optinc_design_cost_of(design, NULL, &cost));
    bench_report(options, "onn", "4 x 4 servers B=8, five switches", (double)cost.mzis, "limit",
                 1400, "MZIs");
    optinc_design_destroy(&design);
}

typedef struct work {
    optinc_layer layers[LAYERS];
    optinc_switch *sw;
    uint8_t symbols[PORTS * CODES];
    uint8_t result[CODES];
    double *x; /* [SIDE_MAX][CODES], both */
    double *y;
} work;

static void run_onn(void *context)
{
    work *w = context;

    must(optinc_switch_reduce(w->sw, w->symbols, CODES, PORTS, CODES, NULL, w->result));
}

static void run_blas(void *context)
{
    work *w = context;

    for (uint32_t l = 0; l < LAYERS; l++)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)sides[l + 1], (int)CODES,
                    (int)sides[l], 1.0, w->layers[l].weight, (int)sides[l], w->x, (int)CODES, 0.0,
                    w->y, (int)CODES);
}

static void fill_layers(work *w)
{
    uint64_t random = 1;

    for (uint32_t l = 0; l < LAYERS; l++) {
        size_t count = (size_t)sides[l] * sides[l + 1];
        double *weight = must_allocate(count);

        for (size_t i = 0; i < count; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            weight[i] = ldexp((double)(random >> 40), -24) - 0.5;
        }
        w->layers[l] = (optinc_layer){.rows = sides[l + 1],
                                      .cols = sides[l],
                                      .activation = l + 1 < LAYERS ? OPTINC_ACTIVATION_RELU
                                                                   : OPTINC_ACTIVATION_LINEAR,
                                      .weight = weight,
                                      .bias = must_allocate(sides[l + 1])};
    }
}

static void beside_blas(const bench_options *options)
{
    static work w;
    optinc_input inputs[PORTS];
    optinc_unit unit = {.method = OPTINC_METHOD_TRAINED,
                        .input_count = PORTS,
                        .inputs = inputs,
                        .layer_count = LAYERS,
                        .layers = w.layers};
    optinc_switch_options settings = {.thread_count = 1};
    optinc_design *design = NULL;
    double flops = 0;
    bench_medians medians;

    for (uint32_t i = 0; i < PORTS; i++)
        inputs[i] = (optinc_input){.digit_first = i, .digit_count = 1, .scale = 1};
    for (uint32_t l = 0; l < LAYERS; l++)
        flops += 2.0 * sides[l] * sides[l + 1] * CODES;
    fill_layers(&w);
    w.x = must_allocate(SIDE_MAX * CODES);
    w.y = must_allocate(SIDE_MAX * CODES);
    must(optinc_spec_single(PORTS, 8, OPTINC_VARIANT_HALF_UP, NULL, &unit.spec));
    must(optinc_design_create(&unit, 1, NULL, &design));
    must(optinc_switch_create(design, optinc_backend_onn(), &settings, NULL, &w.sw));
    openblas_set_num_threads(1);
    medians = bench_in_turn((bench_side){"onn", run_onn, &w}, (bench_side){"dgemm", run_blas, &w},
                            options->rounds);
    bench_report_rate(options, "onn", "backend onn, paper's layers", "OpenBLAS dgemm", medians,
                      1e-9 * flops, "GFLOP/s");
    optinc_switch_destroy(&w.sw);
    optinc_design_destroy(&design);
    for (uint32_t l = 0; l < LAYERS; l++) {
        free((void *)w.layers[l].weight);
        free((void *)w.layers[l].bias);
    }
    free(w.x);
    free(w.y);
}

int main(int argc, char **argv)
{
    const wish wishes[] = {
        {4, 8, OPTINC_ACTIVATION_SATURATING, 200, 1}, {4, 8, OPTINC_ACTIVATION_RELU, 400, 1},
        {4, 32, OPTINC_ACTIVATION_SATURATING, 0, 10}, {4, 32, OPTINC_ACTIVATION_RELU, 0, 10},
        {64, 8, OPTINC_ACTIVATION_SATURATING, 0, 10}, {64, 8, OPTINC_ACTIVATION_RELU, 0, 10}};
    bench_options options = bench_parse(argc, argv, 9);

    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
        prove(&options, &wishes[i]);
    cascade(&options);
    beside_blas(&options);
    return 0;
}
