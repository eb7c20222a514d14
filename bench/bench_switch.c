/* SPDX-License-Identifier: Apache-2.0 */
/* The switch of N = 4, B = 8 on one thread beside memcpy of the bytes that its ports take in, which
 * lie in memory (64 MiB a port) or stay in a cache (64 KiB a port). Bytes count where they are read
 * and where they are written: 5 a code for the switch, 8 a code for memcpy.
 * bench_switch [--csv PATH] [--rounds N] [--mib N] [--kernel auto|plain|avx2|avx512] */
#include "bench.h"

#include "optinc/switch.h"

#include <math.h>

#define PORTS 4u
#define BITS 8u
#define CASES 28561u /* (3 * 4 + 1)^4 */
#define MIB ((size_t)1 << 20)
#define CACHED_CODES ((size_t)64 << 10)

typedef struct work {
    optinc_switch *sw;
    size_t count;       /* codes a port */
    size_t repetitions; /* in one measured run */
    optinc_stream stream;
    uint8_t *symbols; /* [PORTS][count] */
    uint8_t *copy;    /* [PORTS][count] */
    uint8_t *result;  /* [count] */
} work;

static void must(optinc_status status)
{
    if (status != OPTINC_OK) {
        fprintf(stderr, "bench_switch: %s\n", optinc_status_text(status));
        exit(1);
    }
}

static uint8_t *must_allocate(size_t size)
{
    uint8_t *memory = aligned_alloc(64, size);

    if (!memory) {
        perror("bench_switch");
        exit(1);
    }
    memset(memory, 0, size);
    return memory;
}

static void copy(void *context)
{
    work *w = context;

    for (size_t i = 0; i < w->repetitions; i++)
        memcpy(w->copy, w->symbols, PORTS * w->count);
}

static void reduce(void *context)
{
    work *w = context;

    for (size_t i = 0; i < w->repetitions; i++)
        must(optinc_switch_reduce(w->sw, w->symbols, w->count, PORTS, w->count, &w->stream,
                                  w->result));
}

/* A design that says it is exact, with the table of an exact one. */
static optinc_design *make_design(optinc_variant variant)
{
    optinc_unit unit = {.proof = {.kind = OPTINC_PROOF_EXHAUSTIVE,
                                  .exact = true,
                                  .cases = CASES,
                                  .margin_min = NAN,
                                  .error_bound = NAN}};
    optinc_design *design = NULL;
    uint32_t *table = NULL;

    must(optinc_spec_single(PORTS, BITS, variant, NULL, &unit.spec));
    if (variant == OPTINC_VARIANT_HALF_UP) {
        table = malloc(CASES * sizeof *table);
        for (uint32_t i = 0; table && i < CASES; i++) {
            uint32_t sums[BITS / 2];

            optinc_case_digit_sums(&unit.spec, i, sums);
            table[i] = (uint32_t)optinc_reference_digits(&unit.spec, sums, 0);
        }
        unit.table = table;
        unit.table_count = CASES;
    }
    must(optinc_design_create(&unit, 1, NULL, &design));
    free(table);
    return design;
}

static void compare(const bench_options *options, work *w, const optinc_backend *backend,
                    optinc_variant variant, optinc_kernel kernel, const char *what)
{
    optinc_switch_options settings = {.thread_count = 1, .kernel = kernel};
    optinc_design *design = make_design(variant);
    bench_side ours = {what, reduce, w};
    bench_side other = {"memcpy", copy, w};
    double codes = (double)(w->count * w->repetitions);
    bench_medians medians;
    char name[96];

    must(optinc_switch_create(design, backend, &settings, NULL, &w->sw));
    medians = bench_in_turn(ours, other, options->rounds);
    snprintf(name, sizeof name, "%s, moved", what);
    bench_report(options, "switch", name, 1e-9 * (PORTS + 1) * codes / medians.ours_s, "memcpy",
                 1e-9 * 2 * PORTS * codes / medians.other_s, "GB/s");
    snprintf(name, sizeof name, "%s, codes", what);
    bench_report_rate(options, "switch", name, "memcpy of the ports", medians, 1e-9 * codes, "G/s");
    optinc_switch_destroy(&w->sw);
    optinc_design_destroy(&design);
}

static void run(const bench_options *options, size_t count, size_t repetitions,
                optinc_kernel kernel, const char *where)
{
    work w = {.count = count,
              .repetitions = repetitions,
              .symbols = must_allocate(PORTS * count),
              .copy = must_allocate(PORTS * count),
              .result = must_allocate(count)};
    uint64_t random = 1;
    char what[64];

    for (size_t i = 0; i < PORTS * count; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        w.symbols[i] = (uint8_t)(random >> 56);
    }
    snprintf(what, sizeof what, "exact %s", where);
    compare(options, &w, optinc_backend_exact(), OPTINC_VARIANT_HALF_UP, kernel, what);
    snprintf(what, sizeof what, "exact stochastic %s", where);
    compare(options, &w, optinc_backend_exact(), OPTINC_VARIANT_STOCHASTIC, kernel, what);
    snprintf(what, sizeof what, "table %s", where);
    compare(options, &w, optinc_backend_table(), OPTINC_VARIANT_HALF_UP, kernel, what);
    free(w.result);
    free(w.copy);
    free(w.symbols);
}

static optinc_kernel kernel_of(const char *name)
{
    static const char *const names[] = {"auto", "plain", "avx2", "avx512"};

    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0)
            return (optinc_kernel)i;
    }
    fprintf(stderr, "bench_switch: --kernel: expected auto, plain, avx2 or avx512\n");
    exit(2);
}

int main(int argc, char **argv)
{
    bench_options options = bench_parse(argc, argv, 15);
    optinc_kernel kernel = OPTINC_KERNEL_AUTO;
    size_t mib = 64;

    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--mib") == 0)
            mib = (size_t)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--kernel") == 0)
            kernel = kernel_of(argv[i + 1]);
    }
    if (mib < 1 || mib > 4096) {
        fprintf(stderr, "bench_switch: --mib: expected 1 to 4096\n");
        return 2;
    }
    run(&options, mib * MIB, 1, kernel, "memory");
    run(&options, CACHED_CODES, 50, kernel, "cache");
    return 0;
}
